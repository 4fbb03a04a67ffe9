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

const MIB = 1024 * 1024;

export const spec = {
  ...telemetryConfig,
  ...adminConfig(9401),
  ...kafkaConfig,
  ...databaseConfig(4),
  ...layoutConfig(parseTiers, DEFAULT_TIERS),
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
} as const;

export type DispatcherConfig = ConfigOf<typeof spec>;

/** @throws ConfigError listing every fault. */
export const readServiceConfig = (environment: Environment): DispatcherConfig =>
  readConfig(spec, environment);
