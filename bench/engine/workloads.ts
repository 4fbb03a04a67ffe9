import type { Bench } from '../system.ts';
import { measureBacklog, measureCappedBacklog } from './backlog.ts';
import { measureEventRate } from './event-rate.ts';
import type { Finding } from './finding.ts';
import { measureIsolation, measureSlowTenants } from './isolation.ts';
import { measureRebalances } from './rebalance.ts';
import { measureSecondWorker } from './second-worker.ts';

/** What the delivery engine promises beyond its speed, each with a load of its own. */
export interface EngineWorkload {
  readonly name: string;
  readonly seconds: number;
  readonly queued?: number;
  measure(bench: Bench, options: EngineOptions): Promise<Finding>;
}

export interface EngineOptions {
  /** Windows of each kind; of `rebalance`, workers that come and go. */
  readonly runs: number;
  readonly seconds: number;
  readonly queued: number;
}

export const ENGINE_WORKLOADS: readonly EngineWorkload[] = [
  { name: 'isolation', seconds: 10, measure: measureIsolation },
  { name: 'slow-tenants', seconds: 10, measure: measureSlowTenants },
  { name: 'rebalance', seconds: 0, measure: (bench, { runs }) => measureRebalances(bench, runs) },
  { name: 'second-worker', seconds: 10, measure: measureSecondWorker },
  { name: 'event-rate', seconds: 10, measure: measureEventRate },
  { name: 'backlog', seconds: 600, queued: 1_000_000, measure: measureBacklog },
  { name: 'capped-backlog', seconds: 300, queued: 1_000_000, measure: measureCappedBacklog },
];
