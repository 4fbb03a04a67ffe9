import { DEFAULT_TIERS, parseTiers } from '@posthorn/contracts';
import {
  adminConfig,
  type ConfigOf,
  databaseConfig,
  type Environment,
  integer,
  kafkaConfig,
  layoutConfig,
  readConfig,
  telemetryConfig,
} from '@posthorn/runtime';
import { secretsConfig, type WithKeyRing, withKeyRing } from '@posthorn/secrets';

const MIB = 1024 * 1024;

export const spec = {
  ...telemetryConfig,
  ...adminConfig(9401),
  ...kafkaConfig,
  ...databaseConfig(4),
  ...layoutConfig(parseTiers, DEFAULT_TIERS),
  ...secretsConfig,
  maxFanOutRecords: integer('FAN_OUT_MAX_RECORDS', {
    fallback: '1000',
    min: 1,
    max: 100_000,
    unit: 'records',
    doc: 'Events that are fanned out at once; beyond it their partitions are paused.',
  }),
  maxFanOutBytes: integer('FAN_OUT_MAX_BYTES', {
    fallback: String(32 * MIB),
    min: MIB,
    max: 1024 * MIB,
    unit: 'bytes',
    doc: 'Payload bytes of the events that are fanned out at once.',
  }),
  maxConfigWaitMs: integer('CONFIG_MAX_WAIT_MS', {
    fallback: '1000',
    min: 10,
    max: 30_000,
    unit: 'ms',
    doc: "Longest wait for a tenant's configuration that is not cached; after it the event is put aside on a tier.",
  }),
  maxInboundRecords: integer('INBOUND_MAX_RECORDS', {
    fallback: '500',
    min: 1,
    max: 100_000,
    unit: 'records',
    doc: 'Events of your own producers that are taken in at once; beyond it their partitions are paused.',
  }),
  maxTierRecords: integer('RELEASE_MAX_TIER_RECORDS', {
    fallback: '10000',
    min: 1,
    max: 1_000_000,
    unit: 'records',
    doc: 'Records of each tier that are held in memory until they are due.',
  }),
  maxTierBytes: integer('RELEASE_MAX_TIER_BYTES', {
    fallback: String(16 * MIB),
    min: MIB,
    max: 1024 * MIB,
    unit: 'bytes',
    doc: 'Payload bytes of each tier that are held in memory until they are due.',
  }),
  releasePerSec: integer('RELEASE_MAX_PER_SEC', {
    fallback: '500',
    min: 1,
    max: 1_000_000,
    unit: 'deliveries/s',
    doc: 'Deliveries of one tenant that each dispatcher releases from the tiers per second; what is over it waits another turn.',
  }),
  maxRatedTenants: integer('RELEASE_MAX_RATED_TENANTS', {
    fallback: '10000',
    min: 1,
    max: 1_000_000,
    unit: 'tenants',
    doc: 'Tenants whose rate of releases is remembered; beyond it the one that came first starts anew.',
  }),
  maxReplayRecords: integer('REPLAY_MAX_RECORDS', {
    fallback: '64',
    min: 1,
    max: 10_000,
    unit: 'records',
    doc: 'Replays that are decided at once; beyond it their partitions are paused.',
  }),
  maxUnknownWaitMs: integer('REPLAY_MAX_UNKNOWN_WAIT_MS', {
    fallback: '10000',
    min: 0,
    max: 600_000,
    unit: 'ms',
    doc: 'How long a replay waits for a delivery that is not recorded yet; after it the replay is refused.',
  }),
  maxUnknownRecords: integer('REPLAY_MAX_UNKNOWN_RECORDS', {
    fallback: '256',
    min: 1,
    max: 10_000,
    unit: 'records',
    doc: 'Replays that wait at once for a delivery that is not recorded yet, a quarter of them of one tenant; beyond it the longest wait ends.',
  }),
  maxSetAsideTryMs: integer('SET_ASIDE_MAX_TRY_MS', {
    fallback: '5000',
    min: 0,
    max: 600_000,
    unit: 'ms',
    doc: 'How long fan-out and release try to write the row of a record that is set aside; replays wait until Postgres answers.',
  }),
  maxSetAsideRows: integer('SET_ASIDE_MAX_ROWS', {
    fallback: '64',
    min: 1,
    max: 10_000,
    unit: 'rows',
    doc: 'Rows of records set aside that fan-out and release each try to write at once; beyond it the log and the count stand alone.',
  }),
  maxJobs: integer('REPLAY_MAX_JOBS', {
    fallback: '16',
    min: 0,
    max: 256,
    unit: 'jobs',
    doc: 'Bulk replays that this dispatcher runs at once; 0 leaves them to others.',
  }),
  jobPollMs: integer('REPLAY_JOB_POLL_MS', {
    fallback: '1000',
    min: 50,
    max: 60_000,
    unit: 'ms',
    doc: 'How often a bulk replay that waits is looked for.',
  }),
  jobLeaseMs: integer('REPLAY_JOB_LEASE_MS', {
    fallback: '30000',
    min: 1_000,
    max: 600_000,
    unit: 'ms',
    doc: 'After this long without a word of its dispatcher a bulk replay is taken over by another.',
  }),
} as const;

export type DispatcherConfig = WithKeyRing<ConfigOf<typeof spec>>;

/** @throws ConfigError listing every fault. */
export const readServiceConfig = (environment: Environment): DispatcherConfig =>
  withKeyRing(readConfig(spec, environment));
