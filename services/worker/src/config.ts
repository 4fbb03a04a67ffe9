import {
  DEFAULT_TIERS,
  MAX_SCHEDULE_MS,
  parseDuration,
  parseTiers,
  SCHEDULE_PRESETS,
} from '@posthorn/contracts';
import { egressGrammar } from '@posthorn/egress';
import {
  adminConfig,
  type ConfigOf,
  databaseConfig,
  type Environment,
  egressConfig,
  flag,
  integer,
  kafkaConfig,
  layoutConfig,
  parsed,
  readConfig,
  signatureConfig,
  telemetryConfig,
} from '@posthorn/runtime';
import { secretsConfig, type WithKeyRing, withKeyRing } from '@posthorn/secrets';

const MAX_RETRIES = 50;

const PRESETS: ReadonlyMap<string, readonly number[]> = new Map(Object.entries(SCHEDULE_PRESETS));

/** Milliseconds of `1s,4s,16s`, or of a preset by its name. @throws Error naming the part that is wrong. */
function parseSchedule(value: string): readonly number[] {
  const preset = PRESETS.get(value.trim());
  if (preset !== undefined) return preset;
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
  ...signatureConfig,
  ...secretsConfig,
  ...egressConfig(egressGrammar),
  retrySchedule: parsed(
    'RETRY_SCHEDULE',
    'waits such as 1s,4s,16s, or default, standard, aggressive, none',
    parseSchedule,
    {
      fallback: '1s,4s,16s,64s,256s',
      doc: 'Waits after the first, second, … failed attempt of endpoints without a schedule of their own; then the delivery is a dead letter.',
    },
  ),
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
    doc: 'Payloads that this worker holds, queued and in flight; each of the lanes has an equal part of it, 1 MiB at least, and as much again for what it reads of its overflow while there is any.',
  }),
  fastSharePercent: integer('FAST_SHARE_PERCENT', {
    fallback: '30',
    min: 0,
    max: 90,
    unit: '%',
    doc: 'Share of MAX_CONCURRENT_ATTEMPTS that only tenants whose mean attempt takes less than a second may use.',
  }),
  maxHostConcurrency: integer('MAX_HOST_CONCURRENCY', {
    fallback: '256',
    min: 1,
    max: 20_000,
    unit: 'slots',
    doc: 'Requests that this worker has under way at one destination host, over all tenants.',
  }),
  maxEndpointConcurrency: integer('MAX_ENDPOINT_CONCURRENCY', {
    fallback: '128',
    min: 1,
    max: 20_000,
    unit: 'slots',
    doc: 'Requests under way at one endpoint that has no limit of its own.',
  }),
  slowEndpointSharePercent: integer('SLOW_ENDPOINT_SHARE_PERCENT', {
    fallback: '70',
    min: 10,
    max: 100,
    unit: '%',
    doc: "Share of its tenant's cap that its slow endpoints may use together while one that answers in under a second has done so within the last minute.",
  }),
  tenantBufferSharePercent: integer('TENANT_BUFFER_SHARE_PERCENT', {
    fallback: '25',
    min: 1,
    max: 100,
    unit: '%',
    doc: "Share of a lane's buffers (MAX_LANE_SLOTS and its bytes) that one tenant may fill; what goes beyond it moves to the overflow.",
  }),
  maxOverflowMoves: integer('MAX_OVERFLOW_MOVES', {
    fallback: '2048',
    min: 1,
    max: 10_000,
    unit: 'records',
    doc: 'Records on their way to the overflow at once (and 16 MiB of payloads); beyond it the lanes that have more to move wait.',
  }),
  maxOverflowSpans: integer('MAX_OVERFLOW_SPANS', {
    fallback: '1000',
    min: 1,
    max: 100_000,
    unit: 'spans',
    doc: 'Offset ranges per lane of the overflow that were passed over, because their tenant had no room, and are read again when it has.',
  }),
  maxRepeats: integer('MAX_REPEATS', {
    fallback: '250000',
    min: 1_000,
    max: 10_000_000,
    unit: 'attempts',
    doc: 'Attempts that this worker remembers, so that a second copy of one is completed without a request; beyond it the oldest settled ones are forgotten.',
  }),
  repeatsKeptMs: integer('REPEATS_KEPT_MS', {
    fallback: '180000',
    min: 1_000,
    max: 3_600_000,
    unit: 'ms',
    doc: 'How long an attempt is remembered after its outcome was journaled.',
  }),
  breakerFailurePercent: integer('BREAKER_FAILURE_PERCENT', {
    fallback: '80',
    min: 1,
    max: 100,
    unit: '%',
    doc: 'Share of failed attempts at which the circuit of an endpoint opens; counted from the first failure in the window on.',
  }),
  breakerMinAttempts: integer('BREAKER_MIN_ATTEMPTS', {
    fallback: '20',
    min: 1,
    max: 1_000_000,
    unit: 'attempts',
    doc: 'Attempts in the window below which no circuit opens.',
  }),
  breakerWindowMs: integer('BREAKER_WINDOW_MS', {
    fallback: '30000',
    min: 100,
    max: 600_000,
    unit: 'ms',
    doc: 'How far back attempts are counted.',
  }),
  breakerFirstProbeMs: integer('BREAKER_FIRST_PROBE_MS', {
    fallback: '30000',
    min: 10,
    max: 600_000,
    unit: 'ms',
    doc: 'From the opening of a circuit to the first single attempt that may close it; doubles after each that fails.',
  }),
  breakerMaxProbeMs: integer('BREAKER_MAX_PROBE_MS', {
    fallback: '300000',
    min: 10,
    max: 3_600_000,
    unit: 'ms',
    doc: 'Longest time between two probes of an open circuit.',
  }),
  breakerMaxEndpoints: integer('BREAKER_MAX_ENDPOINTS', {
    fallback: '50000',
    min: 100,
    max: 1_000_000,
    unit: 'endpoints',
    doc: 'Endpoints with a recent failure that are kept count of; beyond it the least recently used are forgotten, and their circuits closed.',
  }),
  circuitLeastWaitMs: integer('CIRCUIT_LEAST_WAIT_MS', {
    fallback: '64000',
    min: 10,
    max: 900_000,
    unit: 'ms',
    doc: 'First wait of a delivery on a tier while the circuit of its endpoint is open (longer where the next probe is further away); each wait after it is as long as all before together and this.',
  }),
  circuitMaxWaitMs: integer('CIRCUIT_MAX_WAIT_MS', {
    fallback: '900000',
    min: 10,
    max: 3_600_000,
    unit: 'ms',
    doc: 'Longest of these waits.',
  }),
  circuitLeastBudgetMs: integer('CIRCUIT_LEAST_BUDGET_MS', {
    fallback: '600000',
    min: 100,
    max: MAX_SCHEDULE_MS,
    unit: 'ms',
    doc: "How long a delivery waits in all for a circuit in one round, where the span of its endpoint's schedule is shorter; then it is a dead letter.",
  }),
  pauseFirstWaitMs: integer('PAUSE_FIRST_WAIT_MS', {
    fallback: '16000',
    min: 10,
    max: 900_000,
    unit: 'ms',
    doc: 'First wait of a delivery whose endpoint is paused; each one after it is twice as long.',
  }),
  pauseMaxWaitMs: integer('PAUSE_MAX_WAIT_MS', {
    fallback: '900000',
    min: 10,
    max: 3_600_000,
    unit: 'ms',
    doc: 'Longest of these waits, and so the longest time from the end of a pause until what waited goes out.',
  }),
  maxCachedTokens: integer('MAX_CACHED_TOKENS', {
    fallback: '10000',
    min: 1,
    max: 1_000_000,
    unit: 'endpoints',
    doc: 'Endpoints with OAuth2 whose access tokens this worker holds in memory; beyond it the least recently used are forgotten, and asked for anew.',
  }),
  sendTraceparent: flag('SEND_TRACEPARENT', {
    fallback: 'false',
    doc: 'Whether receivers are sent the `traceparent` header of the attempt.',
  }),
} as const;

export type WorkerConfig = WithKeyRing<ConfigOf<typeof spec>>;

/** @throws ConfigError naming every key that is missing or malformed. */
export function readServiceConfig(environment: Environment): WorkerConfig {
  return withKeyRing(readConfig(spec, environment));
}
