import { type Database, isDataError, setAside, within } from '@posthorn/db';
import type { Clock, Logger } from '@posthorn/runtime';
import { changeConfiguration, type MadeChanges } from './change-configuration.ts';
import type { Item } from './consume/read-record.ts';
import { createCountedTypes } from './counted-types.ts';
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
  readonly log: Pick<Logger, 'info'>;
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
  const types = createCountedTypes();

  async function changeWhatIsAsked({ signals }: BatchRows, { failing }: WrittenRows): Promise<MadeChanges> {
    const asked = { gone: [...signals.gone.values()], failing, drained: [...signals.drained.values()] };
    return within(WRITE_TIMEOUT_MS, changeConfiguration(sql, asked, clock.nowMs()));
  }

  return {
    async write(items: readonly Item[]) {
      const rows = gatherRows(items);
      const health = healthWatch.due(rows.signals.answers);
      const batch = { nowMs: clock.nowMs(), health, failingForMs, types };
      const written = await within(WRITE_TIMEOUT_MS, recordBatch(sql, rows, batch));
      const made = await changeWhatIsAsked(rows, written);
      // Only now: what was not changed is found again when the batch is written once more.
      healthWatch.written(health);
      count(metrics, written, made);
      metrics.countedTypes.set(types.size);
      logChanges(options.log, made);
      if (written.announced + made.disabled.length > 0) options.onAnnounced();
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
  for (const { reason } of made.disabled) metrics.endpointsDisabled.inc({ reason });
  metrics.lanesClosed.inc(made.closed.length);
}

function logChanges(log: StoreOptions['log'], { disabled, closed }: MadeChanges): void {
  for (const { tenantId, endpointId, reason } of disabled)
    log.info({ tenant_id: tenantId, webhook_id: endpointId, reason }, 'endpoint disabled');
  for (const { tenantId, lane } of closed) log.info({ tenant_id: tenantId, lane }, 'lane closed');
}
