import { killEverything } from './kill-everything.ts';
import type { Scenario } from './scenario.ts';

/** In the order in which they are run. */
export const SCENARIOS: readonly Scenario[] = [killEverything];
