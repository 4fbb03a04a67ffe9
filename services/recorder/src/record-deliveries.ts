import {
  type AttemptedEntry,
  type CancelledEntry,
  type DeadLetteredEntry,
  type DeliveryState,
  type DispatchedEntry,
  deriveDeliveryId,
  type ReplayedEntry,
  standingOrder,
} from '@posthorn/contracts';
import { type DeliveryColumns, recordDay } from '@posthorn/db';
import type { DeadLetterItem } from './consume/read-record.ts';
import { retentionClass } from './retention-class.ts';
import { storable } from './storable.ts';

/**
 * Deliveries of a batch, each once: of what the batch says about a delivery only the greatest standing stays, so that
 * its first row and its first outcome are one insert. The order is that of `recordDeliveries`, which goes on with it
 * between batches.
 */
export interface DeliveryRows {
  readonly columns: DeliveryColumns;
  readonly places: Map<string, number>;
}

interface Standing {
  readonly tenantId: string;
  readonly deliveryId: string;
  readonly eventId: string;
  readonly endpointId: string;
  readonly eventType: string;
  readonly retentionDays: number;
  readonly run: number;
  readonly state: DeliveryState;
  readonly round: number;
  readonly attempt: number;
  readonly nextDueAtMs: number | null;
  readonly lastFailure: string | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly atMs: number;
}

export function emptyDeliveries(): DeliveryRows {
  return {
    places: new Map(),
    columns: {
      tenantId: [],
      deliveryId: [],
      eventId: [],
      endpointId: [],
      eventType: [],
      run: [],
      state: [],
      round: [],
      attempt: [],
      standing: [],
      nextDueAtMs: [],
      lastFailure: [],
      lastStatus: [],
      lastError: [],
      updatedAtMs: [],
      retentionDays: [],
      day: [],
    },
  };
}

const NOTHING_TRIED = { nextDueAtMs: null, lastFailure: null, lastStatus: null, lastError: null } as const;

export function addDispatched(rows: DeliveryRows, entry: DispatchedEntry): void {
  for (const endpointId of entry.endpointIds) {
    const deliveryId = deriveDeliveryId(entry.eventId, endpointId, 0);
    raise(rows, {
      ...subject(entry),
      ...NOTHING_TRIED,
      nextDueAtMs: entry.dueAtMs ?? null,
      deliveryId,
      endpointId,
      run: 0,
      state: entry.dueAtMs === undefined ? 'pending' : 'scheduled',
      round: 0,
      attempt: 0,
    });
  }
}

export function addReplayed(rows: DeliveryRows, entry: ReplayedEntry): void {
  raise(rows, { ...subject(entry), ...target(entry), ...NOTHING_TRIED, state: 'pending', attempt: 0 });
}

export function addCancelled(rows: DeliveryRows, entry: CancelledEntry): void {
  raise(rows, {
    ...subject(entry),
    ...target(entry),
    ...NOTHING_TRIED,
    state: 'cancelled',
    attempt: entry.attempt,
    lastError: storable(entry.reason),
  });
}

export function addAttempted(rows: DeliveryRows, entry: AttemptedEntry): void {
  raise(rows, {
    ...subject(entry),
    ...target(entry),
    state: entry.state,
    attempt: entry.attempt,
    nextDueAtMs: entry.nextDueAtMs,
    lastFailure: entry.failure,
    lastStatus: entry.status,
    lastError: entry.error === null ? null : storable(entry.error),
  });
}

/**
 * Without a request: `attempt` is the one that was due. Its record in the dead letters counts those that were made, and
 * both must stand alike, or the one would put the other out of date.
 */
export function addDeadLettered(rows: DeliveryRows, entry: DeadLetteredEntry): void {
  raise(rows, {
    ...subject(entry),
    ...target(entry),
    state: 'failed',
    attempt: Math.max(0, entry.attempt - 1),
    nextDueAtMs: null,
    lastFailure: entry.failure,
    lastStatus: null,
    lastError: storable(entry.error),
  });
}

/** A dead letter says itself that its delivery failed: whichever of it and the journal comes first makes the row. */
export function addFailed(rows: DeliveryRows, { event, delivery, deadLetter }: DeadLetterItem): void {
  const endpointId = delivery.slots[0]!;
  raise(rows, {
    tenantId: event.tenantId,
    eventId: event.eventId,
    eventType: event.type,
    retentionDays: event.retentionDays,
    atMs: deadLetter.failedAtMs,
    deliveryId: deriveDeliveryId(event.eventId, endpointId, delivery.run),
    endpointId,
    run: delivery.run,
    round: delivery.round,
    state: 'failed',
    attempt: deadLetter.attempts,
    nextDueAtMs: null,
    lastFailure: deadLetter.lastFailure === '' ? null : deadLetter.lastFailure,
    lastStatus: deadLetter.lastStatus,
    lastError: deadLetter.lastError === '' ? null : storable(deadLetter.lastError),
  });
}

type Subject = Pick<Standing, 'tenantId' | 'eventId' | 'eventType' | 'retentionDays' | 'atMs'>;
type Target = Pick<Standing, 'deliveryId' | 'endpointId' | 'run' | 'round'>;

const subject = ({ tenantId, eventId, eventType, retentionDays, atMs }: Subject): Subject => ({
  tenantId,
  eventId,
  eventType,
  retentionDays,
  atMs,
});

const target = ({ deliveryId, endpointId, run, round }: Target): Target => ({
  deliveryId,
  endpointId,
  run,
  round,
});

function raise({ columns, places }: DeliveryRows, to: Standing): void {
  const standing = standingOrder(to);
  let place = places.get(to.deliveryId);
  if (place === undefined) {
    place = columns.deliveryId.length;
    places.set(to.deliveryId, place);
    columns.deliveryId.push(to.deliveryId);
    columns.tenantId.push(to.tenantId);
    columns.eventId.push(to.eventId);
    columns.endpointId.push(to.endpointId);
    columns.eventType.push(to.eventType);
    columns.run.push(to.run);
    columns.retentionDays.push(retentionClass(to.retentionDays));
    columns.day.push(recordDay(to.eventId));
  } else if (!outranks(to, standing, columns, place)) return;
  columns.state[place] = to.state;
  columns.round[place] = to.round;
  columns.attempt[place] = to.attempt;
  columns.standing[place] = standing;
  columns.nextDueAtMs[place] = to.nextDueAtMs;
  columns.lastFailure[place] = to.lastFailure;
  columns.lastStatus[place] = to.lastStatus;
  columns.lastError[place] = to.lastError;
  columns.updatedAtMs[place] = to.atMs;
}

/** The same order as the `where` of `recordDeliveries`. */
function outranks(to: Standing, standing: number, columns: DeliveryColumns, place: number): boolean {
  if (standing !== columns.standing[place]!) return standing > columns.standing[place]!;
  if (to.atMs !== columns.updatedAtMs[place]!) return to.atMs > columns.updatedAtMs[place]!;
  const status = to.lastStatus ?? 0;
  const presentStatus = columns.lastStatus[place] ?? 0;
  if (status !== presentStatus) return status > presentStatus;
  const failure = to.lastFailure ?? '';
  const presentFailure = columns.lastFailure[place] ?? '';
  if (failure !== presentFailure) return failure > presentFailure;
  return (to.lastError ?? '') > (columns.lastError[place] ?? '');
}
