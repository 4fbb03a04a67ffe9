/** What bounds the delivery engine, part by part: where each number stands, never the number. */
export interface Part {
  readonly part: string;
  /** `service: KEY`. */
  readonly keys: readonly string[];
  readonly fixed: readonly Fixed[];
}

interface Fixed {
  readonly limit: string;
  readonly file: string;
  /** Name of a constant, or of a property in the file where only one has it. */
  readonly name: string;
  readonly unit: string;
  readonly meaning: string;
}

const fixed = (limit: string, unit: string, file: string, name: string, meaning: string): Fixed => ({
  limit,
  file,
  name,
  unit,
  meaning,
});

const TIERS = 'packages/contracts/src/tiers.ts';
const TOPICS = 'packages/contracts/src/topics.ts';
const JOBS_API = 'services/ingest/src/routes/start-jobs.ts';
const CANCELLATIONS = 'packages/db/src/cancellations.ts';
const CONSUMER = 'packages/kafka/src/group-consumer.ts';
const SERVICE = 'services/worker/src/service.ts';

export const PARTS: readonly Part[] = [
  {
    part: 'Caps and turns',
    keys: [
      'worker: MAX_CONCURRENT_ATTEMPTS',
      'worker: FAST_SHARE_PERCENT',
      'worker: MAX_ENDPOINT_CONCURRENCY',
      'worker: SLOW_ENDPOINT_SHARE_PERCENT',
      'worker: MAX_HOST_CONCURRENCY',
      'worker: MAX_UNSETTLED_SLOTS',
    ],
    fixed: [
      fixed(
        'a tenant is slow from',
        'ms',
        'services/worker/src/schedule/pace.ts',
        'SLOW_MS',
        'Mean time of its attempts from which a tenant may not use the share kept for fast ones.',
      ),
      fixed(
        'quantum',
        'ms',
        'services/worker/src/schedule/turns.ts',
        'QUANTUM_MS',
        'Time in flight that a tenant, and an endpoint within it, gets per turn.',
      ),
      fixed(
        'places for a fast endpoint are kept',
        'ms',
        'services/worker/src/schedule/caps.ts',
        'FAST_KEPT_MS',
        "After its last answer; from then on its tenant's slow endpoints may use all of the cap.",
      ),
      fixed(
        'look at who waits for a host',
        'ms',
        'services/worker/src/schedule/places.ts',
        'HOST_LOOK_MS',
        'How long a place at a host may be left to a tenant that cannot use it.',
      ),
      fixed(
        'endpoints remembered',
        'endpoints',
        'services/worker/src/schedule/queues.ts',
        'MAX_IDLE_ENDPOINTS',
        'With nothing queued and nothing in flight, for their pace and rate; beyond it the least recently used are forgotten.',
      ),
    ],
  },
  {
    part: 'Buffers and overflow',
    keys: [
      'worker: MAX_LANE_SLOTS',
      'worker: MAX_BUFFERED_BYTES',
      'worker: TENANT_BUFFER_SHARE_PERCENT',
      'worker: MAX_OVERFLOW_MOVES',
      'worker: MAX_OVERFLOW_SPANS',
    ],
    fixed: [
      fixed(
        'least share of a tenant',
        'slots',
        'services/worker/src/schedule/lane.ts',
        'LEAST_SHARE_SLOTS',
        "What a tenant may fill of a lane's buffer, however small its share.",
      ),
      fixed(
        'least share of a tenant',
        'bytes',
        'services/worker/src/schedule/lane.ts',
        'LEAST_SHARE_BYTES',
        'The same in bytes.',
      ),
      fixed('slots of a record', 'slots', TOPICS, 'MAX_SLOTS', 'Endpoints that one deliveries record names.'),
      fixed('largest record', 'bytes', TOPICS, 'MAX_RECORD_BYTES', 'An event with its headers, or a batch.'),
      fixed('journal batch', 'bytes', TOPICS, 'MAX_JOURNAL_BYTES', "A journal record's value."),
    ],
  },
  {
    part: 'Attempts and retries',
    keys: [
      'worker: ATTEMPT_TIMEOUT_MS',
      'worker: RETRY_SCHEDULE',
      'worker: RETRY_JITTER_PERCENT',
      'worker: MAX_REPEATS',
      'worker: REPEATS_KEPT_MS',
    ],
    fixed: [
      fixed('span of a schedule', 'ms', TIERS, 'MAX_SCHEDULE_MS', 'All waits of a retry schedule together.'),
      fixed(
        'waits of a schedule',
        'waits',
        'services/worker/src/config.ts',
        'MAX_RETRIES',
        'Retries that a schedule can have.',
      ),
      fixed(
        'Retry-After',
        'ms',
        'services/worker/src/attempt/classify.ts',
        'MAX_RETRY_AFTER_MS',
        'What a receiver can make us wait, at most.',
      ),
      fixed(
        'URLs that answered 410',
        'endpoints',
        'services/worker/src/attempt/gone-endpoints.ts',
        'MAX_GONE_ENDPOINTS',
        'Remembered until the configuration says so; beyond it the oldest are asked again.',
      ),
      fixed(
        'a 410 holds',
        'ms',
        'services/worker/src/attempt/gone-endpoints.ts',
        'GONE_FOR_MS',
        'How long a URL that answered 410 is not asked again while the configuration does not say so.',
      ),
    ],
  },
  {
    part: 'Circuits, pauses, disabling',
    keys: [
      'worker: BREAKER_FAILURE_PERCENT',
      'worker: BREAKER_MIN_ATTEMPTS',
      'worker: BREAKER_WINDOW_MS',
      'worker: BREAKER_FIRST_PROBE_MS',
      'worker: BREAKER_MAX_PROBE_MS',
      'worker: BREAKER_MAX_ENDPOINTS',
      'worker: CIRCUIT_LEAST_WAIT_MS',
      'worker: CIRCUIT_MAX_WAIT_MS',
      'worker: CIRCUIT_LEAST_BUDGET_MS',
      'worker: PAUSE_FIRST_WAIT_MS',
      'worker: PAUSE_MAX_WAIT_MS',
      'recorder: AUTO_DISABLE_AFTER_HOURS',
    ],
    fixed: [
      fixed(
        'first wait of what is put aside',
        'ms',
        TIERS,
        'FIRST_PUT_ASIDE_MS',
        'While a configuration cannot be had; each one after it is twice as long.',
      ),
      fixed(
        'longest wait of what is put aside',
        'ms',
        TIERS,
        'LONGEST_PUT_ASIDE_MS',
        'Bound of these waits.',
      ),
    ],
  },
  {
    part: 'Tiers and release',
    keys: [
      'dispatcher: RETRY_TIERS',
      'dispatcher: RELEASE_MAX_TIER_RECORDS',
      'dispatcher: RELEASE_MAX_TIER_BYTES',
      'dispatcher: RELEASE_MAX_PER_SEC',
      'dispatcher: RELEASE_MAX_RATED_TENANTS',
    ],
    fixed: [
      fixed('tiers', 'topics', TIERS, 'MAX_TIERS', 'Retry topics, at most.'),
      fixed(
        'look-ahead',
        'of a delay',
        TIERS,
        'LOOK_AHEAD_SHARE',
        'Share of its delay by which a tier is read ahead, so that odd waits need no further hop.',
      ),
      fixed(
        'longest look-ahead',
        'ms',
        TIERS,
        'MAX_LOOK_AHEAD_MS',
        'Bound of the look-ahead, and of jitter.',
      ),
    ],
  },
  {
    part: 'Configuration',
    keys: [],
    fixed: [
      fixed(
        'poll',
        'ms',
        'packages/tenant-config/src/tenant-configs.ts',
        'DEFAULT_POLL_INTERVAL_MS',
        'How often changes are looked for where nothing tells of them.',
      ),
      fixed(
        'endpoints cached',
        'endpoints',
        'packages/tenant-config/src/tenant-configs.ts',
        'DEFAULT_MAX_ENDPOINTS',
        'Per process; tenants used least recently go first.',
      ),
      fixed(
        'age of the cache',
        'ms',
        'packages/tenant-config/src/tenant-configs.ts',
        'DEFAULT_MAX_AGE_MS',
        'How long it is believed while Postgres is away.',
      ),
    ],
  },
  {
    part: 'Fan-out, replay and jobs',
    keys: [
      'dispatcher: FAN_OUT_MAX_RECORDS',
      'dispatcher: FAN_OUT_MAX_BYTES',
      'dispatcher: CONFIG_MAX_WAIT_MS',
      'dispatcher: SET_ASIDE_MAX_TRY_MS',
      'dispatcher: SET_ASIDE_MAX_ROWS',
      'dispatcher: REPLAY_MAX_RECORDS',
      'dispatcher: REPLAY_MAX_UNKNOWN_WAIT_MS',
      'dispatcher: REPLAY_MAX_UNKNOWN_RECORDS',
      'dispatcher: REPLAY_MAX_JOBS',
      'dispatcher: REPLAY_JOB_POLL_MS',
      'dispatcher: REPLAY_JOB_LEASE_MS',
    ],
    fixed: [
      fixed(
        'rate of a job',
        'deliveries/s',
        JOBS_API,
        'DEFAULT_RATE_PER_SEC',
        'Unless `rate_per_sec` says so.',
      ),
      fixed('highest rate of a job', 'deliveries/s', JOBS_API, 'MAX_RATE_PER_SEC', 'Of `rate_per_sec`.'),
      fixed('deliveries named to a job', 'ids', JOBS_API, 'MAX_DELIVERY_IDS', 'In `delivery_ids`.'),
      fixed(
        'open jobs',
        'jobs',
        'packages/db/src/replay-jobs.ts',
        'MAX_OPEN_JOBS',
        'Of one tenant, waiting or running; beyond it a job is refused.',
      ),
      fixed(
        'running jobs',
        'jobs',
        'packages/db/src/replay-jobs.ts',
        'MAX_RUNNING_JOBS',
        'Of one tenant over all dispatchers; beyond it a job waits, so that others have places.',
      ),
      fixed(
        'counted for a job',
        'deliveries',
        'packages/db/src/replay-candidates.ts',
        'MAX_COUNTED',
        '`total` of a job or a dry run is no more than this; what is replayed is not bounded by it.',
      ),
    ],
  },
  {
    part: 'Delivery times and cancellations',
    keys: [],
    fixed: [
      fixed(
        '`deliver_at` ahead',
        'ms',
        'services/ingest/src/parse-event.ts',
        'MAX_DELIVER_AHEAD_MS',
        'The latest delivery time that an event may ask for.',
      ),
      fixed(
        'cancellations in force',
        'cancellations',
        CANCELLATIONS,
        'MAX_CANCELLATIONS',
        'Of one tenant; beyond it another one is refused unless it is for the whole tenant.',
      ),
      fixed(
        'a cancellation holds',
        'days',
        CANCELLATIONS,
        'CANCELLATION_DAYS',
        'As long as something can still come by that was accepted before it.',
      ),
    ],
  },
  {
    part: 'Offsets, fence and rebalancing',
    keys: [],
    fixed: [
      fixed(
        'map of finished records',
        'characters',
        'packages/kafka/src/window-encoding.ts',
        'MAX_MAP_CHARS',
        'Size of what a commit says of one lane; near it the lane is paused.',
      ),
      fixed(
        'session',
        'ms',
        CONSUMER,
        'sessionTimeoutMs',
        'Without a heartbeat for so long a member is out.',
      ),
      fixed(
        'commits, at most every',
        'ms',
        CONSUMER,
        'commitIntervalMs.min',
        'The next goes when the last is acknowledged, and not before.',
      ),
      fixed(
        'commits, at least every',
        'ms',
        CONSUMER,
        'commitIntervalMs.max',
        'While there is something to say.',
      ),
      fixed('heartbeats', 'ms', CONSUMER, 'heartbeatIntervalMs', 'From one to the next.'),
      fixed(
        'fence margin',
        'ms',
        'packages/kafka/src/fence.ts',
        'FENCE_MARGIN_MS',
        'Nothing starts unless a heartbeat sent within the session less this has succeeded.',
      ),
      fixed(
        'held margin',
        'ms',
        'packages/kafka/src/held-slots.ts',
        'HELD_MARGIN_MS',
        'What a new owner waits beyond the time that the last one may still take.',
      ),
      fixed(
        'longest hold',
        'ms',
        'packages/kafka/src/held-slots.ts',
        'MAX_HELD_MS',
        'No slot is held for longer, whatever a map says.',
      ),
      fixed(
        'drain of a stop',
        'ms',
        SERVICE,
        'STOP_DRAIN_MS',
        'What is in flight gets so long to end and be settled, the longest deadline included.',
      ),
      fixed(
        'drain of a rebalance',
        'ms',
        SERVICE,
        'REJOIN_DRAIN_MS',
        'What is in flight gets so long before the lanes move.',
      ),
      fixed(
        'produce',
        'ms',
        SERVICE,
        'PRODUCE_TIMEOUT_MS',
        'How long a record may take to be acknowledged before it is asked again, below the fence.',
      ),
    ],
  },
  {
    part: 'Recording',
    keys: [
      'recorder: RECORDER_BATCH_ROWS',
      'recorder: RECORDER_LINGER_MS',
      'recorder: RECORDER_MAX_BUFFERED_RECORDS',
      'recorder: RECORDER_MAX_BUFFERED_BYTES',
    ],
    fixed: [],
  },
];
