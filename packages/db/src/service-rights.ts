export const SERVICE_ROLES = ['ingest', 'dispatcher', 'worker', 'recorder'] as const;
export type ServiceRole = (typeof SERVICE_ROLES)[number];

/**
 * What one role may do with one table, in words that Postgres has: `update(a, b)` is of these columns alone, in the order
 * of their names. Nobody has
 * a right to a partition, and nobody one that is not here: a table without a line is the migrator's alone.
 */
export type Rights = readonly string[];

const READ = ['select'] as const;
const ADD = ['select', 'insert'] as const;
const CHANGE = ['select', 'insert', 'update'] as const;
const KEEP = ['select', 'insert', 'update', 'delete'] as const;

/**
 * By table, or view. A release takes a right away only when the release before does not use it any more: the set-up job
 * makes the rights what they are here while that one still runs.
 */
export const TABLE_RIGHTS: Readonly<Record<string, Readonly<Partial<Record<ServiceRole, Rights>>>>> = {
  config_sequence: { ingest: READ, dispatcher: READ, worker: READ, recorder: READ },
  tenants: {
    ingest: CHANGE,
    dispatcher: READ,
    worker: READ,
    recorder: ['select', 'update(draining_lanes, lanes_revision, revision, updated_at)'],
  },
  quotas: { ingest: CHANGE, dispatcher: READ, worker: READ, recorder: READ },
  plans: { ingest: KEEP },
  api_keys: { ingest: CHANGE },
  portal_revocations: { ingest: CHANGE },
  endpoints: {
    ingest: CHANGE,
    // Nothing that is sealed: it has the key ring, for the signatures of records.
    dispatcher: [
      'select(attempt_timeout_ms, endpoint_id, max_concurrency, max_per_sec, max_retry_ms, method, pause_mode, ' +
        'retry_schedule_ms, scope, secret_expires_at, signatures, signing_keys_expire_at, state, state_reason, ' +
        'tenant_id, updated_at, url)',
    ],
    worker: READ,
    recorder: ['select', 'update(pause_mode, state, state_reason, updated_at)'],
  },
  endpoint_versions: { ingest: CHANGE, dispatcher: READ, worker: READ, recorder: CHANGE },
  endpoint_requests: { ingest: READ, recorder: ['select', 'delete'] },
  endpoint_circuits: { ingest: READ, recorder: KEEP },
  endpoint_health: { ingest: ['select', 'delete'], recorder: KEEP },
  event_types: { ingest: CHANGE, dispatcher: READ },
  event_type_versions: { ingest: ADD, dispatcher: READ },
  // Locked by whoever changes the catalogue; a trigger writes it.
  event_catalogue: { ingest: ['select', 'update(revision)'], dispatcher: READ },
  cancellations: {
    ingest: ['select', 'insert', 'delete'],
    dispatcher: READ,
    worker: READ,
    recorder: ['select', 'delete'],
  },
  ingest_replicas: { ingest: KEEP },
  rate_counts: { ingest: CHANGE, recorder: ['select', 'delete'] },
  quota_warnings: { ingest: CHANGE },
  event_claims: { ingest: KEEP, recorder: ['select', 'delete'] },
  audit_log: { ingest: ADD, recorder: ['insert'] },
  audit_head: { ingest: READ, recorder: READ },
  events: {
    ingest: ['select', 'update(payload, payload_expunged_at)'],
    dispatcher: READ,
    recorder: ['select', 'insert', 'update(payload, payload_expunged_at)'],
  },
  deliveries: { ingest: READ, dispatcher: READ, recorder: CHANGE },
  deliveries_in_scope: { ingest: READ },
  attempts: {
    ingest: ['select', 'update(response_body, response_headers)'],
    recorder: ['select', 'insert', 'update(response_body, response_headers)'],
  },
  attempts_in_scope: { ingest: READ },
  attempt_days: { ingest: READ, recorder: ['select', 'insert', 'delete'] },
  dead_letters: { ingest: READ, dispatcher: READ, recorder: KEEP },
  dead_letter_counts: { ingest: READ, recorder: KEEP },
  dead_letter_removals: { recorder: KEEP },
  replays: { dispatcher: ADD },
  replay_jobs: { ingest: CHANGE, dispatcher: ['select', 'update'], recorder: ['select', 'delete'] },
  purges: { recorder: KEEP },
  expunges: { ingest: CHANGE, recorder: ['select', 'update', 'delete'] },
  operational_events: { ingest: ADD, recorder: KEEP },
  tenant_load: { ingest: READ, recorder: KEEP },
  rollups: { ingest: READ, recorder: KEEP },
  rollup_log: { recorder: ['select', 'insert', 'delete'] },
  recorded_offsets: { ingest: READ, recorder: CHANGE },
  set_aside: { ingest: READ, dispatcher: ADD, recorder: ADD },
};

/** Of functions that run as the owner of the tables; triggers need no right. */
export const FUNCTION_RIGHTS: Readonly<Record<string, readonly ServiceRole[]>> = {
  'current_change()': ['ingest', 'recorder'],
  'make_day_partition(text,date,integer)': ['recorder'],
  'drop_day_partition(text,date)': ['recorder'],
  'count_unpartitioned_rows(integer)': ['recorder'],
};
