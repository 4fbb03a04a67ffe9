import type { Random } from '../random.ts';
import type { History } from '../report/history.ts';
import type { KindRow } from '../report/kind-rows.ts';
import type { Infra } from '../rig/start-infra.ts';

/** How much a run may take: seconds for `short`, as long as its events and kills need for `long`. */
export type Form = 'short' | 'ten-minutes' | 'long';

/** What a scenario is given. */
export interface World {
  readonly seed: number;
  readonly form: Form;
  readonly random: Random;
  readonly events: number;
  readonly kills: number;
  readonly minutes: number;
  /** A checkout of the version before, when one was given. */
  readonly previous: string | undefined;
  /** The Kafka and Postgres that scenarios of a run share. */
  readonly infra: Infra;
  say(line: string): void;
}

export type Figures = Readonly<Record<string, string | number | boolean | null>>;

/** What came of a scenario. Complaints: sentences, none when the promises were kept. */
export interface Finding {
  readonly figures: Figures;
  readonly complaints: readonly string[];
  /** Why it could not be run here. */
  readonly skipped?: string;
  readonly kinds?: readonly KindRow[];
  /** What a failed run leaves to those who look into it. */
  readonly history?: History;
}

export interface Scenario {
  /** As in the list of faults that the system is held to. */
  readonly id: string;
  /** The behaviour it shows, as a sentence. */
  readonly title: string;
  /** Runs with three brokers only. */
  readonly threeBrokers?: boolean;
  /** Breaks what it shares with others, or is broken by it: gets a Kafka and Postgres of its own. */
  readonly alone?: boolean;
  run(world: World): Promise<Finding>;
}
