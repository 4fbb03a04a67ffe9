import type { Clock, Logger } from '@posthorn/runtime';
import type { DeliveryWork } from '../intake/delivery-work.ts';
import type { WorkerMetrics } from '../metrics.ts';
import type { Outlet, OutletOptions } from './outlet.ts';
import type { WaitPolicy } from './wait-policy.ts';

export interface SettleOptions extends OutletOptions {
  readonly policy: WaitPolicy;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: WorkerMetrics;
  /** What this worker remembers, so that a second copy of an attempt is none. */
  readonly repeats: {
    /** Its outcome is journaled. */
    settled(work: DeliveryWork, index: number, succeeded: boolean): void;
    /** It is about to be moved elsewhere, and will come back. */
    forget(work: DeliveryWork, index: number): void;
  };
}

/** What settling works with: the options, and the way out that they make. */
export interface Settling extends SettleOptions {
  readonly outlet: Outlet;
}

/** `settled`: its outcome is journaled. `moved`: another record carries it on. `left`: it is another worker's. */
export type SettleEnd = 'settled' | 'moved' | 'left';
