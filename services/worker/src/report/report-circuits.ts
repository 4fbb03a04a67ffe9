import type { EndpointId, JournalEntry, TenantId } from '@posthorn/contracts';
import type { Clock } from '@posthorn/runtime';
import type { CircuitTurn } from '../schedule/breaker.ts';

export interface CircuitReportOptions {
  readonly workerId: string;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  journal(entry: JournalEntry): Promise<void>;
}

/**
 * Says which circuits this worker has open, so that whoever looks at a waiting delivery sees what it waits for. Only
 * turns are said: an opening, each probe that failed, the closing. As many are kept as the breaker has open.
 */
export interface CircuitReport {
  turned(turn: CircuitTurn): void;
  /** With this worker its circuits are gone. */
  closeAll(): void;
}

export function createCircuitReport({ workerId, clock, journal }: CircuitReportOptions): CircuitReport {
  const open = new Map<EndpointId, TenantId>();

  function say(tenantId: TenantId, endpointId: EndpointId, nextProbeAtMs: number | null): void {
    const atMs = clock.nowMs();
    // It is only shown: what is not written now is overtaken by the next turn.
    journal({ kind: 'circuit', tenantId, endpointId, workerId, nextProbeAtMs, atMs }).catch(() => {});
  }

  return {
    turned({ tenantId, endpointId, to, probeAtMs }) {
      if (to === 'open') {
        open.set(endpointId, tenantId);
        say(tenantId, endpointId, Math.round(clock.nowMs() + Math.max(0, probeAtMs - clock.monotonicMs())));
      } else if (to === 'closed' && open.delete(endpointId)) say(tenantId, endpointId, null);
    },
    closeAll() {
      for (const [endpointId, tenantId] of open) say(tenantId, endpointId, null);
      open.clear();
    },
  };
}
