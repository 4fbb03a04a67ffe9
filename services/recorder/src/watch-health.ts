import type { HealthColumns } from '@posthorn/db';
import type { Clock } from '@posthorn/runtime';
import type { EndpointAnswers, Signals } from './gather-signals.ts';

/** What an endpoint is known for is written anew this often while it does not change. */
export const HEALTH_REFRESH_MS = 60_000;
/** Endpoints that are remembered; beyond them all are forgotten, and written once more. */
export const MAX_ENDPOINTS_WATCHED = 100_000;

interface Known {
  readonly failing: boolean;
  readonly writtenAtMs: number;
}

/**
 * Which endpoints' answers are worth a row now. An endpoint is *unknown*, *fine* or *failing* since it was last written;
 * its answers are written when that changes and once a refresh: at a thousand attempts a second nearly nothing is.
 */
export interface HealthWatch {
  /** Of a batch's answers, what is to be written. */
  due(answers: Signals['answers']): HealthColumns;
  /** It was committed. */
  written(columns: HealthColumns): void;
}

export function createHealthWatch(clock: Pick<Clock, 'monotonicMs'>): HealthWatch {
  const known = new Map<string, Known>();

  function isDue(endpointId: string, answers: EndpointAnswers, nowMs: number): boolean {
    const before = known.get(endpointId);
    if (before === undefined || nowMs - before.writtenAtMs >= HEALTH_REFRESH_MS) return true;
    return before.failing ? answers.lastSuccessAtMs !== null : answers.lastFailureAtMs !== null;
  }

  return {
    due(answers) {
      const nowMs = clock.monotonicMs();
      const columns = emptyHealth();
      for (const [endpointId, seen] of answers)
        if (isDue(endpointId, seen, nowMs)) addHealth(columns, endpointId, seen);
      return columns;
    },
    written({ endpointId, firstFailureAtMs }) {
      if (known.size + endpointId.length > MAX_ENDPOINTS_WATCHED) known.clear();
      const writtenAtMs = clock.monotonicMs();
      endpointId.forEach((id, i) => {
        known.set(id, { failing: firstFailureAtMs[i] !== null, writtenAtMs });
      });
    },
  };
}

export const emptyHealth = (): HealthColumns => ({
  endpointId: [],
  tenantId: [],
  lastSuccessAtMs: [],
  firstFailureAtMs: [],
  lastFailureAtMs: [],
});

function addHealth(columns: HealthColumns, endpointId: string, seen: EndpointAnswers): void {
  const { lastSuccessAtMs: succeeded, firstFailureAtMs: first, lastFailureAtMs: last } = seen;
  const failing = last !== null && (succeeded === null || last > succeeded);
  columns.endpointId.push(endpointId);
  columns.tenantId.push(seen.tenantId);
  columns.lastSuccessAtMs.push(succeeded);
  // Which failure came first after a success within one batch is not kept: the last one did for certain.
  columns.firstFailureAtMs.push(failing ? (succeeded === null || first! > succeeded ? first : last) : null);
  columns.lastFailureAtMs.push(last);
}
