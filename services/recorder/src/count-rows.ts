import {
  type CountKey,
  type CountNote,
  type Counts,
  latencyBucket,
  type NewRows,
  noCounts,
  toNote,
  type WrittenDeadLetter,
} from '@posthorn/db';
import type { CountedTypes } from './counted-types.ts';
import type { BatchRows } from './record-batch.ts';

export interface AddedRows {
  readonly events: NewRows;
  readonly deliveries: NewRows;
  readonly attempts: NewRows;
  readonly deadLetters: readonly WrittenDeadLetter[];
}

/** What a batch has added to the record, by minute and by what it is counted by. What was there before counts nothing. */
export function countRows(
  rows: BatchRows,
  added: AddedRows,
  nowMs: number,
  types: Pick<CountedTypes, 'nameFor'> = ALL_TYPES,
): CountNote[] {
  const tally = createTally(nowMs, types);
  countEvents(tally, rows, added.events);
  countDeliveries(tally, rows, added.deliveries);
  countAttempts(tally, rows, added.attempts);
  countDeadLetters(tally, rows, added.deadLetters);
  return tally.notes();
}

/** Each under its own name. */
const ALL_TYPES: Pick<CountedTypes, 'nameFor'> = { nameFor: (_tenantId, eventType) => eventType };

type CountedAt = Omit<CountKey, 'minute' | 'statusClass' | 'failure'> &
  Partial<Pick<CountKey, 'statusClass' | 'failure'>> & { readonly atMs: number };

interface Tally {
  of(at: CountedAt): Counts;
  notes(): CountNote[];
}

/** A clock that is ahead must not count into years to come, which nothing would ever remove. */
const MAX_CLOCK_LEAD_MS = 3_600_000;

function createTally(nowMs: number, types: Pick<CountedTypes, 'nameFor'>): Tally {
  const counts = new Map<string, { readonly key: CountKey; readonly counts: Counts }>();
  return {
    of({ atMs, tenantId, endpointId, eventType: type, statusClass = '', failure = '' }) {
      const eventType = types.nameFor(tenantId, type, nowMs);
      const minute = Math.floor(Math.min(atMs, nowMs + MAX_CLOCK_LEAD_MS) / 60_000);
      const name = `${minute}\n${endpointId}\n${tenantId}\n${eventType}\n${statusClass}\n${failure}`;
      let entry = counts.get(name);
      if (entry === undefined) {
        entry = {
          key: { minute, tenantId, endpointId, eventType, statusClass, failure },
          counts: noCounts(),
        };
        counts.set(name, entry);
      }
      return entry.counts;
    },
    notes: () => [...counts.values()].map((entry) => toNote(entry.key, entry.counts)),
  };
}

function countEvents(tally: Tally, { events }: BatchRows, added: NewRows): void {
  events.eventId.forEach((eventId, i) => {
    if (!added.take(eventId)) return;
    const [tenantId, eventType, atMs] = [events.tenantId[i]!, events.type[i]!, events.acceptedAtMs[i]!];
    tally.of({ atMs, tenantId, endpointId: '', eventType }).events += 1;
  });
}

function countDeliveries(tally: Tally, { deliveries: { columns } }: BatchRows, added: NewRows): void {
  columns.deliveryId.forEach((deliveryId, i) => {
    if (!added.take(deliveryId)) return;
    tally.of(placeOf(columns, i, columns.updatedAtMs[i]!)).deliveries += 1;
  });
}

function countAttempts(tally: Tally, { attempts }: BatchRows, added: NewRows): void {
  attempts.attemptId.forEach((attemptId, i) => {
    if (!added.take(attemptId)) return;
    const counts = tally.of({
      ...placeOf(attempts, i, attempts.startedAtMs[i]!),
      statusClass: classOf(attempts.status[i]!),
      failure: attempts.failure[i] ?? '',
    });
    counts.attempts += 1;
    if (attempts.state[i] === 'success') counts.succeeded += 1;
    counts.latency[latencyBucket(attempts.durationMs[i]!)]! += 1;
  });
}

/** One that comes again after its replay has failed too is another one. */
function countDeadLetters(
  tally: Tally,
  { deadLetters }: BatchRows,
  written: readonly WrittenDeadLetter[],
): void {
  const { columns, places } = deadLetters;
  for (const { deliveryId } of written) {
    const i = places.get(deliveryId)!;
    const at = placeOf(columns, i, columns.failedAtMs[i]!);
    tally.of({ ...at, failure: columns.lastFailure[i]! }).deadLetters += 1;
  }
}

interface Placed {
  readonly tenantId: readonly string[];
  readonly endpointId: readonly string[];
  readonly eventType: readonly string[];
}

const placeOf = (columns: Placed, i: number, atMs: number): CountedAt => ({
  atMs,
  tenantId: columns.tenantId[i]!,
  endpointId: columns.endpointId[i]!,
  eventType: columns.eventType[i]!,
});

const classOf = (status: number | null): string =>
  status === null ? 'none' : `${Math.floor(status / 100)}xx`;
