import {
  type AttemptColumns,
  type CountChanges,
  type EventColumns,
  type FailingEndpoint,
  type HealthColumns,
  insertOperationalEvents,
  inTransaction,
  moveDeadLetterCounts,
  noteCounts,
  notePurges,
  type PoolSql,
  type RecordedOffsets,
  type RemovedDeadLetters,
  raiseOffset,
  recordAttemptDays,
  recordAttempts,
  recordCircuits,
  recordDeadLetters,
  recordDeliveries,
  recordEvents,
  recordHealth,
  recordLoad,
  recordOffsets,
  removeDeadLetters,
  type Sql,
  takeOutDeadLetters,
  trimDeadLetters,
  type WrittenDeadLetter,
} from '@posthorn/db';
import { announceDeadLetters, announceFillingQuotas } from './announce.ts';
import type { Item } from './consume/read-record.ts';
import { countRows } from './count-rows.ts';
import type { CountedTypes } from './counted-types.ts';
import {
  addSignal,
  circuitColumns,
  emptySignals,
  loadColumns,
  noteAnswer,
  type Signals,
} from './gather-signals.ts';
import { addAttempt, emptyAttempts } from './record-attempts.ts';
import { addDeadLetter, type DeadLetterRows, emptyDeadLetters } from './record-dead-letters.ts';
import {
  addAttempted,
  addCancelled,
  addDeadLettered,
  addDispatched,
  addFailed,
  addReplayed,
  type DeliveryRows,
  emptyDeliveries,
} from './record-deliveries.ts';
import { addEvent, emptyEvents } from './record-events.ts';
import { emptyHealth } from './watch-health.ts';

export interface BatchRows {
  readonly events: EventColumns;
  readonly deliveries: DeliveryRows;
  readonly attempts: AttemptColumns;
  readonly deadLetters: DeadLetterRows;
  readonly signals: Signals;
  readonly offsets: RecordedOffsets;
}

export interface WrittenRows {
  readonly events: number;
  /** Deliveries named in the batch; some rows may have stood higher already. */
  readonly deliveries: number;
  readonly attempts: number;
  readonly deadLetters: number;
  readonly replayed: number;
  /** Taken out by decision. */
  readonly takenOut: number;
  readonly trimmed: number;
  /** Operational events that wait to be published now. */
  readonly announced: number;
  /** Endpoints that have answered nothing but failures for too long. */
  readonly failing: readonly FailingEndpoint[];
}

export interface BatchOptions {
  readonly nowMs: number;
  /** What of the batch's answers is worth a row. */
  readonly health: HealthColumns;
  /** 0: an endpoint is never found to fail for too long. */
  readonly failingForMs: number;
  /** Left out: every type is counted by itself. */
  readonly types?: CountedTypes;
}

export function gatherRows(items: readonly Item[]): BatchRows {
  const rows: BatchRows = {
    events: emptyEvents(),
    deliveries: emptyDeliveries(),
    attempts: emptyAttempts(),
    deadLetters: emptyDeadLetters(),
    signals: emptySignals(),
    offsets: new Map(),
  };
  for (const item of items) addItem(rows, item);
  return rows;
}

function addItem(rows: BatchRows, item: Item): void {
  switch (item.kind) {
    case 'event':
      addEvent(rows.events, item);
      raiseOffset(rows.offsets, item);
      break;
    case 'passed':
      raiseOffset(rows.offsets, item);
      break;
    case 'dispatched':
      addDispatched(rows.deliveries, item);
      break;
    case 'attempted':
      addAttempt(rows.attempts, item);
      addAttempted(rows.deliveries, item);
      noteAnswer(rows.signals, item);
      break;
    case 'dead_lettered':
      addDeadLettered(rows.deliveries, item);
      break;
    case 'cancelled':
      addCancelled(rows.deliveries, item);
      break;
    case 'replayed':
      addReplayed(rows.deliveries, item);
      break;
    case 'dead_letter':
      addFailed(rows.deliveries, item);
      addDeadLetter(rows.deadLetters, item);
      break;
    default:
      addSignal(rows.signals, item);
  }
}

/** Writes a batch in one transaction. Idempotent: what was written before changes nothing. */
export async function recordBatch(
  sql: PoolSql,
  rows: BatchRows,
  { nowMs, health, failingForMs, types }: BatchOptions = { nowMs: 0, health: emptyHealth(), failingForMs: 0 },
): Promise<WrittenRows> {
  return inTransaction(sql, async (transaction) => {
    const { signals } = rows;
    // Sent together, run in this order: dead letters need the row locks that deliveries took.
    const [events, attempts, deliveries, deadLetters, takenOut, failing] = await Promise.all([
      recordEvents(transaction, rows.events),
      recordAttempts(transaction, rows.attempts),
      recordDeliveries(transaction, rows.deliveries.columns),
      recordDeadLetters(transaction, rows.deadLetters.columns),
      takeOutDeadLetters(transaction, [...signals.removals.values()]),
      recordHealth(transaction, health, failingForMs),
      recordLoad(transaction, loadColumns(signals)),
      recordCircuits(transaction, circuitColumns(signals)),
      notePurges(transaction, [...signals.purges.values()]),
      recordOffsets(transaction, rows.offsets),
      recordAttemptDays(transaction, rows.attempts),
    ]);
    const grown = [...new Set(deadLetters.map((letter) => letter.tenantId))];
    const [replayed, trimmed] = await Promise.all([
      removeDeadLetters(transaction, deliveries.stale),
      trimDeadLetters(transaction, grown),
      noteCounts(
        transaction,
        countRows(rows, { events, deliveries: deliveries.added, attempts, deadLetters }, nowMs, types),
      ),
    ]);
    const changes = countChanges(deadLetters, [takenOut, replayed, trimmed]);
    const announced = await announce(transaction, rows.deadLetters, deadLetters, changes, nowMs);
    return {
      events: events.count,
      deliveries: rows.deliveries.columns.deliveryId.length,
      attempts: attempts.count,
      deadLetters: deadLetters.length,
      replayed: replayed.length,
      takenOut: takenOut.length,
      trimmed: trimmed.length,
      announced,
      failing,
    };
  });
}

function countChanges(
  written: readonly WrittenDeadLetter[],
  removed: readonly RemovedDeadLetters[],
): CountChanges {
  const changes = new Map<string, number>();
  const move = (tenantId: string, by: number) => changes.set(tenantId, (changes.get(tenantId) ?? 0) + by);
  for (const { tenantId, added } of written) if (added) move(tenantId, 1);
  for (const { tenantId } of removed.flat()) move(tenantId, -1);
  return changes;
}

async function announce(
  transaction: Sql,
  { columns, places }: DeadLetterRows,
  written: readonly WrittenDeadLetter[],
  changes: CountChanges,
  nowMs: number,
): Promise<number> {
  if (written.length === 0 && changes.size === 0) return 0;
  const counts = await moveDeadLetterCounts(transaction, changes);
  const letters = announceDeadLetters(nowMs, columns, places, written);
  return insertOperationalEvents(transaction, [...letters, ...announceFillingQuotas(nowMs, counts)]);
}
