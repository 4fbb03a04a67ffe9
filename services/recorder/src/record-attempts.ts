import type { AttemptedEntry } from '@posthorn/contracts';
import { type AttemptColumns, recordDay } from '@posthorn/db';
import { retentionClass } from './retention-class.ts';
import { storable } from './storable.ts';

export function emptyAttempts(): AttemptColumns {
  return {
    attemptId: [],
    deliveryId: [],
    tenantId: [],
    endpointId: [],
    eventId: [],
    run: [],
    round: [],
    attempt: [],
    state: [],
    startedAtMs: [],
    durationMs: [],
    status: [],
    failure: [],
    error: [],
    responseBody: [],
    traceId: [],
    retentionDays: [],
    day: [],
  };
}

export function addAttempt(rows: AttemptColumns, entry: AttemptedEntry): void {
  rows.attemptId.push(entry.attemptId);
  rows.deliveryId.push(entry.deliveryId);
  rows.tenantId.push(entry.tenantId);
  rows.endpointId.push(entry.endpointId);
  rows.eventId.push(entry.eventId);
  rows.run.push(entry.run);
  rows.round.push(entry.round);
  rows.attempt.push(entry.attempt);
  rows.state.push(entry.state);
  // The entry is written when the attempt ended.
  rows.startedAtMs.push(Math.round(entry.atMs - entry.durationMs));
  rows.durationMs.push(Math.round(entry.durationMs));
  rows.status.push(entry.status);
  rows.failure.push(entry.failure);
  rows.error.push(entry.error === null ? null : storable(entry.error));
  rows.responseBody.push(entry.responseBody);
  rows.traceId.push(entry.traceId);
  rows.retentionDays.push(retentionClass(entry.retentionDays));
  rows.day.push(recordDay(entry.deliveryId));
}
