import { DEFAULT_TIERS, MAX_SCHEDULE_MS, parseDuration, parseTiers } from '@posthorn/contracts';
import {
  adminConfig,
  type ConfigOf,
  databaseConfig,
  type Environment,
  flag,
  integer,
  kafkaConfig,
  layoutConfig,
  list,
  parsed,
  readConfig,
  secret,
  telemetryConfig,
} from '@posthorn/runtime';
import { parseSecretsKey } from '@posthorn/tenant-config';

const MAX_RETRIES = 50;

/** Milliseconds of `1s,4s,16s`; `none` is an empty schedule. @throws Error naming the part that is wrong. */
function parseSchedule(value: string): readonly number[] {
  if (value.trim() === 'none') return Object.freeze([]);
  const delays = value.split(',').map((part) => {
    const delayMs = parseDuration(part);
    if (!delayMs) throw new Error(`"${part.trim()}" is not a wait such as 50ms, 4s, 15m or 24h`);
    return delayMs;
  });
  const spanMs = delays.reduce((sum, delayMs) => sum + delayMs, 0);
  if (spanMs > MAX_SCHEDULE_MS) throw new Error(`${spanMs} ms together are more than ${MAX_SCHEDULE_MS}`);
  if (delays.length > MAX_RETRIES) throw new Error(`${delays.length} waits are more than ${MAX_RETRIES}`);
  return Object.freeze(delays);
}

export const spec = {
  ...telemetryConfig,
  ...adminConfig(9402),
  ...kafkaConfig,
  ...databaseConfig(4),
  ...layoutConfig(parseTiers, DEFAULT_TIERS),
  secretsKey: secret('SECRETS_KEY', {
    expected: 'base64 of 32 bytes',
    check: parseSecretsKey,
    doc: 'Key that the signing secrets in Postgres are encrypted with.',
  }),
  egressAllowedCidrs: list('EGRESS_ALLOWED_CIDRS', {
    fallback: '',
    expected: 'networks such as 127.0.0.0/8, comma-separated',
    doc: 'Networks that endpoints may be in although they are private. Empty: public addresses only.',
  }),
  retrySchedule: parsed('RETRY_SCHEDULE', 'waits such as 1s,4s,16s, or none', parseSchedule, {
    fallback: '1s,4s,16s,64s,256s',
    doc: 'Waits after the first, second, … failed attempt of endpoints without a schedule of their own; then the delivery is a dead letter.',
  }),
  retryJitterPercent: integer('RETRY_JITTER_PERCENT', {
    fallback: '10',
    min: 0,
    max: 50,
    unit: '%',
    doc: 'Each wait is spread by this share in both directions.',
  }),
  attemptTimeoutMs: integer('ATTEMPT_TIMEOUT_MS', {
    fallback: '15000',
    min: 100,
    max: 60_000,
    unit: 'ms',
    doc: 'Deadline of a whole attempt, from name resolution to the last byte read, where the endpoint has none of its own.',
  }),
  maxConcurrentAttempts: integer('MAX_CONCURRENT_ATTEMPTS', {
    fallback: '512',
    min: 1,
    max: 20_000,
    unit: 'slots',
    doc: 'Requests that this worker has under way at once.',
  }),
  maxUnsettledSlots: integer('MAX_UNSETTLED_SLOTS', {
    fallback: '2048',
    min: 1,
    max: 100_000,
    unit: 'slots',
    doc: 'Deliveries that this worker has started and whose outcome Kafka has not acknowledged, requests under way included; a crash repeats these at most.',
  }),
  maxLaneSlots: integer('MAX_LANE_SLOTS', {
    fallback: '4096',
    min: 64,
    max: 1_000_000,
    unit: 'slots',
    doc: 'Deliveries queued per lane; beyond it the lane is paused, and resumed at half.',
  }),
  maxBufferedBytes: integer('MAX_BUFFERED_BYTES', {
    fallback: String(96 * 1024 * 1024),
    min: 4 * 1024 * 1024,
    max: 4 * 1024 * 1024 * 1024,
    unit: 'bytes',
    doc: 'Payloads that this worker holds, queued and in flight; each of the lanes has an equal part of it, 1 MiB at least.',
  }),
  sendTraceparent: flag('SEND_TRACEPARENT', {
    fallback: 'false',
    doc: 'Whether receivers are sent the `traceparent` header of the attempt.',
  }),
} as const;

export type WorkerConfig = ConfigOf<typeof spec>;

/** @throws ConfigError naming every key that is missing or malformed. */
export function readServiceConfig(environment: Environment): WorkerConfig {
  return readConfig(spec, environment);
}
