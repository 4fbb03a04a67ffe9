import type { JournalEntry, TenantId } from '@posthorn/contracts';
import type { Clock } from '@posthorn/runtime';
import type { TenantLoad } from '../schedule/scheduler.ts';

export interface LoadReportOptions {
  readonly workerId: string;
  readonly clock: Pick<Clock, 'nowMs'>;
  loads(): Iterable<TenantLoad>;
  journal(entry: JournalEntry): Promise<void>;
}

/** Tenants in one report; with more of them the rest has its turn in the next. */
export const MAX_REPORTED_TENANTS = 500;

interface Sum {
  inFlight: number;
  queued: number;
}

/** Says what this worker holds of each tenant, once per call while that is not nothing, and once when it becomes so. */
export function createLoadReport({ workerId, clock, loads, journal }: LoadReportOptions): () => void {
  /** Those whose last report was not nothing, the one reported longest ago first. */
  const reported = new Set<TenantId>();

  function write(tenantId: TenantId, { inFlight, queued }: Sum): void {
    // What is not written now is overtaken by the next report.
    const entry: JournalEntry = { kind: 'load', tenantId, workerId, inFlight, queued, atMs: clock.nowMs() };
    journal(entry).catch(() => {});
    reported.delete(tenantId);
    if (inFlight + queued > 0) reported.add(tenantId);
  }

  return () => {
    const sums = sumOf(loads());
    const known = [...reported];
    const news = [...sums.keys()].filter((tenantId) => !reported.has(tenantId));
    for (const tenantId of [...news, ...known].slice(0, MAX_REPORTED_TENANTS)) {
      write(tenantId, sums.get(tenantId) ?? NOTHING);
    }
  };
}

const NOTHING: Sum = { inFlight: 0, queued: 0 };

function sumOf(loads: Iterable<TenantLoad>): Map<TenantId, Sum> {
  const sums = new Map<TenantId, Sum>();
  for (const { tenantId, inFlight, queued } of loads) {
    if (inFlight + queued === 0) continue;
    const sum = sums.get(tenantId);
    if (sum === undefined) sums.set(tenantId, { inFlight, queued });
    else {
      sum.inFlight += inFlight;
      sum.queued += queued;
    }
  }
  return sums;
}
