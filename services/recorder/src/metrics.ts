import type { Metrics } from '@posthorn/runtime';

export type SourceTopic = 'events' | 'journal' | 'dead_letters';

/** What is read when somebody asks for the metrics. */
export interface RecorderReadings {
  bufferedRecords(): number;
  bufferedBytes(): number;
  lag(): Readonly<Record<SourceTopic, number>>;
}

export function createRecorderMetrics(metrics: Metrics, readings: RecorderReadings) {
  return {
    rows: metrics.counter('posthorn_recorder_rows_total', 'Rows written, merged rows counted once', [
      'table',
    ]),
    deadLettersRemoved: metrics.counter(
      'posthorn_recorder_dead_letters_removed_total',
      'Dead letters removed from the index',
      ['reason'],
    ),
    endpointsDisabled: metrics.counter(
      'posthorn_recorder_endpoints_disabled_total',
      'Endpoints disabled by what their receivers answered',
      ['reason'],
    ),
    lanesClosed: metrics.counter(
      'posthorn_recorder_lanes_closed_total',
      'Lanes that a tenant had left and that are empty now',
    ),
    rowsCancelled: metrics.counter(
      'posthorn_recorder_rows_cancelled_total',
      'Deliveries marked as cancelled by a request that covers them',
    ),
    claimsRemoved: metrics.counter(
      'posthorn_recorder_claims_removed_total',
      'Idempotency keys and client event ids whose day was over',
    ),
    announced: metrics.counter(
      'posthorn_recorder_operational_events_total',
      'Operational events kept to be published, and published',
      ['step'],
    ),
    payloadsExpunged: metrics.counter(
      'posthorn_recorder_payloads_expunged_total',
      'Events whose payloads were removed because a tenant asked to forget all of its own',
    ),
    notesWaiting: metrics.gauge(
      'posthorn_recorder_rollup_notes_waiting',
      "Batches' counts that wait to be added up (counted to 10000)",
    ),
    countedTypes: metrics.gauge(
      'posthorn_recorder_counted_types',
      'Event types that are counted by name today',
    ),
    notesFolded: metrics.counter(
      'posthorn_recorder_rollup_notes_total',
      "Batches' counts that were added up",
    ),
    batchRows: metrics.histogram(
      'posthorn_recorder_batch_rows',
      'Entries written in one transaction',
      [1, 5, 20, 50, 100, 200, 500, 1_000, 2_000],
    ),
    flushSeconds: metrics.histogram(
      'posthorn_recorder_flush_seconds',
      'From taking a batch to its commit, retries included',
      [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    ),
    writeRetries: metrics.counter(
      'posthorn_recorder_write_retries_total',
      'Transactions that failed and were sent again',
    ),
    setAside: metrics.counter(
      'posthorn_recorder_set_aside_total',
      'Records or entries that cannot be written and were set aside',
      ['topic'],
    ),
    bufferedRecords: metrics.gauge(
      'posthorn_recorder_buffered_records',
      'Records read from Kafka and not written yet (bound: RECORDER_MAX_BUFFERED_RECORDS)',
      [],
      (gauge) => gauge.set(readings.bufferedRecords()),
    ),
    bufferedBytes: metrics.gauge(
      'posthorn_recorder_buffered_bytes',
      'Bytes read from Kafka and not written yet (bound: RECORDER_MAX_BUFFERED_BYTES)',
      [],
      (gauge) => gauge.set(readings.bufferedBytes()),
    ),
    lag: metrics.gauge(
      'posthorn_recorder_lag_records',
      'Records in Kafka that were not read yet',
      ['topic'],
      (gauge) => {
        for (const [topic, lag] of Object.entries(readings.lag())) gauge.set({ topic }, lag);
      },
    ),
    partitions: metrics.counter('posthorn_recorder_partitions_total', 'Partitions made and dropped', [
      'change',
    ]),
    unpartitionedRows: metrics.gauge(
      'posthorn_recorder_unpartitioned_rows',
      'Rows in default partitions (counted to 1000): anything but 0 is an alarm',
    ),
  };
}

export type RecorderMetrics = ReturnType<typeof createRecorderMetrics>;
