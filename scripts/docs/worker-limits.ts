import { fixed, type Part } from './engine-part.ts';

const TIERS = 'packages/contracts/src/tiers.ts';
const TOPICS = 'packages/contracts/src/topics.ts';

export const WORKER_PARTS: readonly Part[] = [
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
];
