import {
  type AttemptColumns,
  type EventColumns,
  inTransaction,
  type PoolSql,
  recordAttempts,
  recordDeadLetters,
  recordDeliveries,
  recordEvents,
  removeDeadLetters,
  trimDeadLetters,
} from '@posthorn/db';
import type { Item } from './consume/read-record.ts';
import { addAttempt, emptyAttempts } from './record-attempts.ts';
import { addDeadLetter, type DeadLetterRows, emptyDeadLetters } from './record-dead-letters.ts';
import {
  addAttempted,
  addCancelled,
  addDispatched,
  addFailed,
  addReplayed,
  type DeliveryRows,
  emptyDeliveries,
} from './record-deliveries.ts';
import { addEvent, emptyEvents } from './record-events.ts';

export interface BatchRows {
  readonly events: EventColumns;
  readonly deliveries: DeliveryRows;
  readonly attempts: AttemptColumns;
  readonly deadLetters: DeadLetterRows;
}

export interface WrittenRows {
  readonly events: number;
  /** Deliveries named in the batch; some rows may have stood higher already. */
  readonly deliveries: number;
  readonly attempts: number;
  readonly deadLetters: number;
  readonly replayed: number;
  readonly trimmed: number;
}

export function gatherRows(items: readonly Item[]): BatchRows {
  const rows: BatchRows = {
    events: emptyEvents(),
    deliveries: emptyDeliveries(),
    attempts: emptyAttempts(),
    deadLetters: emptyDeadLetters(),
  };
  for (const item of items) addItem(rows, item);
  return rows;
}

function addItem(rows: BatchRows, item: Item): void {
  switch (item.kind) {
    case 'event':
      addEvent(rows.events, item);
      break;
    case 'dispatched':
      addDispatched(rows.deliveries, item);
      break;
    case 'attempted':
      addAttempt(rows.attempts, item);
      addAttempted(rows.deliveries, item);
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
      item satisfies never;
  }
}

/** Writes a batch in one transaction. Idempotent: what was written before changes nothing. */
export async function recordBatch(sql: PoolSql, rows: BatchRows): Promise<WrittenRows> {
  return inTransaction(sql, async (transaction) => {
    // Sent together, run in this order: dead letters need the row locks that deliveries took.
    const [events, attempts, stale, deadLetters] = await Promise.all([
      recordEvents(transaction, rows.events),
      recordAttempts(transaction, rows.attempts),
      recordDeliveries(transaction, rows.deliveries.columns),
      recordDeadLetters(transaction, rows.deadLetters.columns),
    ]);
    const tenants = deadLetters > 0 ? [...new Set(rows.deadLetters.columns.tenantId)] : [];
    const [replayed, trimmed] = await Promise.all([
      removeDeadLetters(transaction, stale),
      trimDeadLetters(transaction, tenants),
    ]);
    const deliveries = rows.deliveries.columns.deliveryId.length;
    return { events, deliveries, attempts, deadLetters, replayed, trimmed };
  });
}
