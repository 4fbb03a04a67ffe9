import type { JournalEntry, TenantId } from '@posthorn/contracts';
import type { Clock, Logger } from '@posthorn/runtime';

export interface DrainingTenant {
  readonly tenantId: TenantId;
  readonly drainingLanes: readonly number[];
  readonly lanesRevision: number;
}

export interface DrainReportOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Tenants with lanes that they have left, as of now. */
  listDraining(): Promise<readonly DrainingTenant[]>;
  /** Whether all of a lane that is ours has been read, and nothing of the tenant is left in it. */
  isDrained(lane: number, tenantId: TenantId): boolean;
  journal(entry: JournalEntry): Promise<void>;
}

/**
 * So long after a change everybody who publishes knows it (they look every two seconds), and what they had published
 * before has been fetched.
 */
export const LEAST_DRAIN_MS = 10_000;
/** A report that the recorder did not see is said again. */
export const REPORT_AGAIN_MS = 30_000;

interface Draining {
  readonly sinceMs: number;
  reportedMs: number;
}

/**
 * Tells that a lane which a tenant has left holds nothing of it any more, so that its cap need not be shared with it.
 * Called every few seconds.
 */
export function createDrainReport(options: DrainReportOptions): () => Promise<void> {
  const { clock, log } = options;
  let draining = new Map<string, Draining>();

  function look(lane: number, { tenantId, lanesRevision }: DrainingTenant, state: Draining): void {
    const nowMs = clock.monotonicMs();
    if (nowMs - state.sinceMs < LEAST_DRAIN_MS || nowMs - state.reportedMs < REPORT_AGAIN_MS) return;
    if (!options.isDrained(lane, tenantId)) return;
    state.reportedMs = nowMs;
    log.info({ tenant_id: tenantId, lane }, 'lane drained');
    const entry = {
      kind: 'lane_drained',
      tenantId,
      lane,
      revision: lanesRevision,
      atMs: clock.nowMs(),
    } as const;
    options.journal(entry).catch(() => {
      state.reportedMs = Number.NEGATIVE_INFINITY;
    });
  }

  return async () => {
    const tenants = await options.listDraining();
    const seen = new Map<string, Draining>();
    for (const tenant of tenants) {
      for (const lane of tenant.drainingLanes) {
        const key = `${tenant.tenantId} ${lane} ${tenant.lanesRevision}`;
        const state = draining.get(key) ?? {
          sinceMs: clock.monotonicMs(),
          reportedMs: Number.NEGATIVE_INFINITY,
        };
        seen.set(key, state);
        look(lane, tenant, state);
      }
    }
    draining = seen;
  };
}
