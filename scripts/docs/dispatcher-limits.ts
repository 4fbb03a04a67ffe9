import { fixed, type Part } from './engine-part.ts';

const TIERS = 'packages/contracts/src/tiers.ts';
const JOBS_API = 'services/ingest/src/resources/jobs/start-routes.ts';
const CANCELLATIONS = 'packages/db/src/cancellations.ts';

export const DISPATCHER_PARTS: readonly Part[] = [
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
      'dispatcher: INBOUND_MAX_RECORDS',
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
        'services/ingest/src/accept/check-fields.ts',
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
];
