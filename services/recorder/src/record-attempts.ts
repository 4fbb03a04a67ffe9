import { type AttemptedEntry, acceptedAtMs } from '@posthorn/contracts';
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
    eventType: [],
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
    responseHeaders: [],
    dnsMs: [],
    connectMs: [],
    tlsMs: [],
    firstByteMs: [],
    revision: [],
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
  rows.eventType.push(entry.eventType);
  rows.run.push(entry.run);
  rows.round.push(entry.round);
  rows.attempt.push(entry.attempt);
  rows.state.push(entry.state);
  // The id is made when the attempt begins, and the timestamp that is signed is of the same moment.
  rows.startedAtMs.push(acceptedAtMs(entry.attemptId));
  rows.durationMs.push(Math.round(entry.durationMs));
  rows.status.push(entry.status);
  rows.failure.push(entry.failure);
  rows.error.push(entry.error === null ? null : storable(entry.error));
  rows.responseBody.push(entry.responseBody);
  rows.traceId.push(entry.traceId);
  addDetails(rows, entry);
  rows.retentionDays.push(retentionClass(entry.retentionDays));
  rows.day.push(recordDay(entry.deliveryId));
}

/** What the release before does not say of an attempt. */
function addDetails(rows: AttemptColumns, { responseHeaders, phases, revision }: AttemptedEntry): void {
  rows.responseHeaders.push(responseHeaders === undefined ? null : JSON.stringify(responseHeaders));
  rows.dnsMs.push(phases?.dnsMs ?? null);
  rows.connectMs.push(phases?.connectMs ?? null);
  rows.tlsMs.push(phases?.tlsMs ?? null);
  rows.firstByteMs.push(phases?.firstByteMs ?? null);
  rows.revision.push(revision ?? null);
}
