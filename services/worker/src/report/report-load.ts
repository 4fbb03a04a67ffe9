import type { JournalEntry, TenantId } from '@posthorn/contracts';
import type { Clock } from '@posthorn/runtime';
import type { TenantLoad } from '../schedule/scheduler.ts';

export interface LoadReportOptions {
  readonly workerId: string;
  readonly clock: Pick<Clock, 'nowMs'>;
  loads(): Iterable<TenantLoad>;
  /** Records passed over in the overflow, by tenant, once for each lane. */
  passedOver(): Iterable<readonly [TenantId, number]>;
  journal(entry: JournalEntry): Promise<void>;
}

/** Tenants in one report; with more of them the rest has its turn in the next. */
export const MAX_REPORTED_TENANTS = 500;

interface Sum {
  inFlight: number;
  queued: number;
  overflow: number;
}

/** Says what this worker holds of each tenant, once per call while that is not nothing, and once when it becomes so. */
export function createLoadReport(options: LoadReportOptions): () => void {
  const { workerId, clock, journal } = options;
  /** Those whose last report was not nothing, the one reported longest ago first. */
  const reported = new Set<TenantId>();

  function write(tenantId: TenantId, sum: Sum): void {
    // What is not written now is overtaken by the next report.
    journal({ kind: 'load', tenantId, workerId, ...sum, atMs: clock.nowMs() }).catch(() => {});
    reported.delete(tenantId);
    if (sum.inFlight + sum.queued + sum.overflow > 0) reported.add(tenantId);
  }

  return () => {
    const sums = sumUp(options);
    const known = [...reported];
    const news = [...sums.keys()].filter((tenantId) => !reported.has(tenantId));
    for (const tenantId of [...news, ...known].slice(0, MAX_REPORTED_TENANTS)) {
      write(tenantId, sums.get(tenantId) ?? NOTHING);
    }
  };
}

const NOTHING: Sum = { inFlight: 0, queued: 0, overflow: 0 };

function sumUp({ loads, passedOver }: Pick<LoadReportOptions, 'loads' | 'passedOver'>): Map<TenantId, Sum> {
  const sums = new Map<TenantId, Sum>();
  const sumOf = (tenantId: TenantId): Sum => {
    let sum = sums.get(tenantId);
    if (sum === undefined) {
      sum = { ...NOTHING };
      sums.set(tenantId, sum);
    }
    return sum;
  };
  for (const { tenantId, inFlight, queued } of loads()) {
    if (inFlight + queued === 0) continue;
    const sum = sumOf(tenantId);
    sum.inFlight += inFlight;
    sum.queued += queued;
  }
  for (const [tenantId, records] of passedOver()) if (records > 0) sumOf(tenantId).overflow += records;
  return sums;
}
