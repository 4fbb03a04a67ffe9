import { DEFAULT_TIERS, parseTiers } from '@posthorn/contracts';
import {
  adminConfig,
  databaseConfig,
  type Environment,
  integer,
  kafkaConfig,
  layoutConfig,
  readConfig,
  telemetryConfig,
} from '@posthorn/runtime';

export const spec = {
  logLevel: telemetryConfig.logLevel,
  ...adminConfig(9403),
  ...kafkaConfig,
  ...databaseConfig(4),
  ...layoutConfig(parseTiers, DEFAULT_TIERS),
  batchRows: integer('RECORDER_BATCH_ROWS', {
    fallback: '500',
    min: 1,
    max: 10_000,
    unit: 'rows',
    doc: 'Rows after which a batch is written without waiting for more.',
  }),
  lingerMs: integer('RECORDER_LINGER_MS', {
    fallback: '50',
    min: 0,
    max: 5_000,
    unit: 'ms',
    doc: 'Longest time that a row waits for company.',
  }),
  maxBufferedRecords: integer('RECORDER_MAX_BUFFERED_RECORDS', {
    fallback: '10000',
    min: 1,
    max: 1_000_000,
    unit: 'records',
    doc: 'Records read from Kafka and not written yet; past it, partitions are paused.',
  }),
  maxBufferedBytes: integer('RECORDER_MAX_BUFFERED_BYTES', {
    fallback: '33554432',
    min: 2_097_152,
    max: 1_073_741_824,
    unit: 'bytes',
    doc: 'Their size; past it, partitions are paused.',
  }),
  autoDisableAfterHours: integer('AUTO_DISABLE_AFTER_HOURS', {
    fallback: '120',
    min: 0,
    max: 8_760,
    unit: 'h',
    doc: 'An endpoint that has answered nothing but failures for this long, from the first to the last, is disabled and what is queued for it dead-lettered. 0: never.',
  }),
} as const;

/** @throws ConfigError */
export const readServiceConfig = (environment: Environment) => readConfig(spec, environment);

export type RecorderConfig = ReturnType<typeof readServiceConfig>;
