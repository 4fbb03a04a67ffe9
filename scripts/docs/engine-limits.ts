import { CONSUMER_PARTS } from './consumer-limits.ts';
import { DISPATCHER_PARTS } from './dispatcher-limits.ts';
import type { Part } from './engine-part.ts';
import { WORKER_PARTS } from './worker-limits.ts';

/** In the order of the table. */
export const PARTS: readonly Part[] = [...WORKER_PARTS, ...DISPATCHER_PARTS, ...CONSUMER_PARTS];
