import {
  type AttemptedEntry,
  type CancelledEntry,
  type CircuitEntry,
  type DeadLetteredEntry,
  type DeadLetterRemovedEntry,
  type DispatchedEntry,
  deriveDeliveryId,
  type EventMeta,
  encodeDeadLetter,
  encodeDelivery,
  encodeEvent,
  encodeJournal,
  type Headers,
  type JournalEntry,
  type LaneDrainedEntry,
  type LoadEntry,
  mintEndpointId,
  mintEventId,
  type PurgedEntry,
  type ReplayedEntry,
} from '@posthorn/contracts';
import type { DeadLetterItem } from '../src/consume/read-record.ts';

export const NOW_MS = Date.UTC(2026, 10, 22, 12);
export const TENANT = 'tenant-1';

/** Ids of one delivery to talk about. */
export interface Subject {
  readonly eventId: string;
  readonly endpointId: string;
}

export const newSubject = (nowMs = NOW_MS): Subject => ({
  eventId: mintEventId(nowMs),
  endpointId: mintEndpointId(nowMs),
});

const base = ({ eventId }: Subject, atMs: number) => ({
  tenantId: TENANT,
  eventId,
  eventType: 'order.created',
  retentionDays: 30,
  atMs,
});

export function dispatched(subject: Subject, atMs = NOW_MS): DispatchedEntry {
  return { ...base(subject, atMs), kind: 'dispatched', endpointIds: [subject.endpointId] };
}

interface Which {
  readonly run?: number;
  readonly round?: number;
  readonly attempt?: number;
}

export function attempted(
  subject: Subject,
  state: AttemptedEntry['state'],
  { run = 0, round = 0, attempt = 1 }: Which = {},
  over: Partial<AttemptedEntry> = {},
): AttemptedEntry {
  const atMs = over.atMs ?? NOW_MS + round * 10_000 + attempt * 1_000;
  return {
    ...base(subject, atMs),
    kind: 'attempted',
    attemptId: mintEventId(atMs),
    deliveryId: deriveDeliveryId(subject.eventId, subject.endpointId, run),
    endpointId: subject.endpointId,
    run,
    round,
    attempt,
    state,
    failure: state === 'success' ? null : 'http_5xx',
    status: state === 'success' ? 200 : 503,
    error: null,
    durationMs: 12,
    nextDueAtMs: state === 'processing' ? atMs + 1_000 : null,
    responseBody: null,
    traceId: 'ab'.repeat(16),
    ...over,
  };
}

export function cancelled(subject: Subject, { run = 0, round = 0, attempt = 0 }: Which = {}): CancelledEntry {
  return {
    ...base(subject, NOW_MS + 5_000),
    kind: 'cancelled',
    deliveryId: deriveDeliveryId(subject.eventId, subject.endpointId, run),
    endpointId: subject.endpointId,
    run,
    round,
    attempt,
    reason: 'endpoint_deleted',
  };
}

export function replayed(subject: Subject, { run = 0, round = 1 }: Which = {}): ReplayedEntry {
  return {
    ...base(subject, NOW_MS + round * 10_000),
    kind: 'replayed',
    deliveryId: deriveDeliveryId(subject.eventId, subject.endpointId, run),
    endpointId: subject.endpointId,
    run,
    round,
  };
}

/** `attempt` is the one that was due. */
export function deadLettered(
  subject: Subject,
  { run = 0, round = 0, attempt = 1 }: Which = {},
): DeadLetteredEntry {
  return {
    ...base(subject, NOW_MS + round * 10_000 + attempt * 1_000),
    kind: 'dead_lettered',
    deliveryId: deriveDeliveryId(subject.eventId, subject.endpointId, run),
    endpointId: subject.endpointId,
    run,
    round,
    attempt,
    reason: 'circuit_open',
    failure: 'circuit_open',
    error: 'the circuit stayed open',
  };
}

export function removed(subject: Subject, atMs = NOW_MS + 60_000): DeadLetterRemovedEntry {
  return {
    kind: 'dead_letter_removed',
    tenantId: TENANT,
    deliveryId: deriveDeliveryId(subject.eventId, subject.endpointId, 0),
    reason: 'by hand',
    atMs,
  };
}

export function purged(over: Partial<PurgedEntry> = {}): PurgedEntry {
  return {
    kind: 'purged',
    tenantId: TENANT,
    endpointId: null,
    eventId: null,
    revision: 4,
    atMs: NOW_MS + 60_000,
    ...over,
  };
}

export function load(over: Partial<LoadEntry> = {}): LoadEntry {
  return {
    kind: 'load',
    tenantId: TENANT,
    workerId: 'worker-1',
    inFlight: 2,
    queued: 3,
    atMs: NOW_MS,
    ...over,
  };
}

export function circuit(over: Partial<CircuitEntry> = {}): CircuitEntry {
  return {
    kind: 'circuit',
    tenantId: TENANT,
    endpointId: mintEndpointId(NOW_MS),
    workerId: 'worker-1',
    nextProbeAtMs: NOW_MS + 30_000,
    atMs: NOW_MS,
    ...over,
  };
}

export function drained(over: Partial<LaneDrainedEntry> = {}): LaneDrainedEntry {
  return { kind: 'lane_drained', tenantId: TENANT, lane: 1, revision: 2, atMs: NOW_MS, ...over };
}

const eventMeta = ({ eventId }: Subject): EventMeta => ({
  eventId,
  tenantId: TENANT,
  type: 'order.created',
  labels: { region: 'eu' },
  occurredAt: new Date(NOW_MS).toISOString(),
  contentType: 'application/json',
  revision: 3,
  retentionDays: 30,
  traceparent: '',
});

export const eventHeaders = (subject: Subject): Headers => encodeEvent(eventMeta(subject));

export function deadLetter(
  subject: Subject,
  { round = 0, attempt = 6 }: Which = {},
  offset = round,
): DeadLetterItem {
  return {
    kind: 'dead_letter',
    event: eventMeta(subject),
    delivery: { slots: [subject.endpointId], run: 0, round, attempt, lane: 1 },
    deadLetter: {
      reason: 'attempts_exhausted',
      lastFailure: 'http_5xx',
      lastStatus: 503,
      lastError: '',
      attempts: attempt,
      failedAtMs: NOW_MS + round * 10_000 + attempt * 1_000,
    },
    topic: 'dead-letters',
    partition: 0,
    offset,
  };
}

export function deadLetterHeaders(item: DeadLetterItem): Headers {
  return {
    ...encodeEvent(item.event),
    ...encodeDelivery(item.delivery),
    ...encodeDeadLetter(item.deadLetter),
  };
}

export const journal = (...entries: readonly unknown[]): Buffer =>
  encodeJournal(entries.map((entry) => JSON.stringify(entry satisfies JournalEntry | unknown)));
