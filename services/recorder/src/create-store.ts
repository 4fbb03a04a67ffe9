import { type Database, isDataError, setAside, within } from '@posthorn/db';
import type { Clock } from '@posthorn/runtime';
import { changeConfiguration, type MadeChanges } from './change-configuration.ts';
import type { Item } from './consume/read-record.ts';
import type { RecorderMetrics } from './metrics.ts';
import { type BatchRows, gatherRows, recordBatch, type WrittenRows } from './record-batch.ts';
import { createHealthWatch } from './watch-health.ts';
import type { Store } from './write-batches.ts';

/** A transaction that has no answer by then is given up and sent again. */
export const WRITE_TIMEOUT_MS = 30_000;

export interface StoreOptions {
  readonly database: Pick<Database, 'sql'>;
  readonly metrics: RecorderMetrics;
  readonly clock: Clock;
  /** How long an endpoint may answer nothing but failures; 0: for ever. */
  readonly failingForMs: number;
  /** There is something to tell the operator. */
  onAnnounced(): void;
}

/** Writes batches: the record in one transaction, then what it asks of the configuration. */
export function createStore(options: StoreOptions): Store {
  const { database, metrics, clock, failingForMs } = options;
  const { sql } = database;
  const healthWatch = createHealthWatch(clock);

  async function changeWhatIsAsked({ signals }: BatchRows, { failing }: WrittenRows): Promise<MadeChanges> {
    const asked = { gone: [...signals.gone.values()], failing, drained: [...signals.drained.values()] };
    return within(WRITE_TIMEOUT_MS, changeConfiguration(sql, asked, clock.nowMs()));
  }

  return {
    async write(items: readonly Item[]) {
      const rows = gatherRows(items);
      const health = healthWatch.due(rows.signals.answers);
      const batch = { nowMs: clock.nowMs(), health, failingForMs };
      const written = await within(WRITE_TIMEOUT_MS, recordBatch(sql, rows, batch));
      const made = await changeWhatIsAsked(rows, written);
      // Only now: what was not changed is found again when the batch is written once more.
      healthWatch.written(health);
      count(metrics, written, made);
      if (written.announced + made.gone + made.autoDisabled > 0) options.onAnnounced();
    },
    setAside: (record) => within(WRITE_TIMEOUT_MS, setAside(sql, record)),
    isDataError: (error) => error instanceof TypeError || error instanceof RangeError || isDataError(error),
  };
}

function count(metrics: RecorderMetrics, written: WrittenRows, made: MadeChanges): void {
  metrics.rows.inc({ table: 'events' }, written.events);
  metrics.rows.inc({ table: 'deliveries' }, written.deliveries);
  metrics.rows.inc({ table: 'attempts' }, written.attempts);
  metrics.rows.inc({ table: 'dead_letters' }, written.deadLetters);
  metrics.deadLettersRemoved.inc({ reason: 'replayed' }, written.replayed);
  metrics.deadLettersRemoved.inc({ reason: 'taken_out' }, written.takenOut);
  metrics.deadLettersRemoved.inc({ reason: 'drop_oldest' }, written.trimmed);
  metrics.announced.inc({ step: 'kept' }, written.announced);
  metrics.endpointsDisabled.inc({ reason: 'gone' }, made.gone);
  metrics.endpointsDisabled.inc({ reason: 'auto_disabled' }, made.autoDisabled);
  metrics.lanesClosed.inc(made.lanesClosed);
}
