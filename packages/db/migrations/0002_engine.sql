-- Expand only: the release before runs on this schema.

-- Limits of one endpoint, and its pause. `hold`: what is queued and what comes waits; `drop`: what comes while it is
-- paused is not matched. Why it was disabled decides over what is queued: `person` (or nothing) cancels it, `gone` and
-- `auto_disabled` make dead letters of it.
alter table endpoints
  drop constraint endpoints_state_check,
  add constraint endpoints_state_check check (state in ('active', 'paused', 'disabled', 'deleted')),
  add column pause_mode text check (pause_mode in ('hold', 'drop')),
  add column max_concurrency integer check (max_concurrency > 0),
  add column max_per_sec integer check (max_per_sec > 0),
  add column max_retry_ms bigint check (max_retry_ms >= 0),
  add constraint endpoints_pause_check check (state <> 'paused' or pause_mode is not null);

-- A subscription that was given while its endpoint was closed is a version that holds for no revision.
alter table endpoint_versions
  drop constraint endpoint_versions_check,
  add constraint endpoint_versions_check check (valid_until >= valid_from);

-- Lanes that the tenant has left and that still hold something of it; the last change of its lanes.
alter table tenants
  add column draining_lanes integer[] not null default '{}',
  add column lanes_revision bigint not null default 0;

-- What was accepted before `revision` and is in scope (one event, one endpoint, all of the tenant) is not delivered.
create table cancellations (
  tenant_id text collate "C" not null references tenants on delete cascade,
  revision bigint not null,
  endpoint_id text collate "C",
  event_id uuid,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (tenant_id, revision),
  check (endpoint_id is null or event_id is null)
);
create trigger cancellations_touch after insert on cancellations
  for each row execute function touch_tenant();

-- Cancellations whose rows in the record are to be marked, by the recorder, in chunks.
create table purges (
  tenant_id text collate "C" not null,
  revision bigint not null,
  endpoint_id text collate "C",
  event_id uuid,
  asked_at timestamptz not null,
  noted_at timestamptz not null default now(),
  -- The last delivery that was looked at.
  cursor text collate "C" not null default '',
  marked bigint not null default 0,
  done_at timestamptz,
  primary key (tenant_id, revision)
);
create index purges_open on purges (noted_at) where done_at is null;

-- Events about the system itself, on their way to the topic: written with what they tell about, published after.
create table operational_events (
  event_id uuid primary key,
  type text not null,
  dedupe_key text collate "C" not null unique,
  -- The tenant that it is about.
  tenant_id text collate "C" not null,
  payload jsonb not null,
  created_at timestamptz not null default now(),
  published_at timestamptz
);
create index operational_events_unpublished on operational_events (created_at) where published_at is null;
create index operational_events_published on operational_events (published_at) where published_at is not null;

create table replay_jobs (
  job_id uuid primary key,
  tenant_id text collate "C" not null references tenants on delete cascade,
  kind text not null check (kind in ('dead_letters', 'recover', 'missing')),
  filters jsonb not null check (jsonb_typeof(filters) = 'object'),
  rate_per_sec integer not null check (rate_per_sec > 0),
  state text not null default 'queued' check (state in ('queued', 'running', 'done', 'cancelled', 'failed')),
  -- What there was to do when it was asked for.
  total integer not null check (total >= 0),
  done integer not null default 0,
  refused integer not null default 0,
  -- Where the next page starts.
  cursor jsonb,
  lease_owner text,
  lease_until timestamptz,
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  error text
);
create index replay_jobs_open on replay_jobs (created_at) where state in ('queued', 'running');
create index replay_jobs_by_tenant on replay_jobs (tenant_id, created_at desc);

-- Since when an endpoint has answered nothing but failures; null after a success.
create table endpoint_health (
  endpoint_id text collate "C" primary key,
  tenant_id text collate "C" not null,
  failing_since timestamptz,
  last_success_at timestamptz,
  last_failure_at timestamptz
) with (fillfactor = 70);

-- What each worker holds of a tenant, a second old. Worth nothing after a crash of the server.
create unlogged table tenant_load (
  tenant_id text collate "C" not null,
  worker_id text collate "C" not null,
  in_flight integer not null,
  queued integer not null,
  reported_at timestamptz not null,
  primary key (tenant_id, worker_id)
) with (fillfactor = 50);

-- How often a row was written again after its insert.
alter table dead_letters add column rewrites integer not null default 0;

-- Dead letters by tenant, moved in the transactions that add and remove rows, and counted anew now and then: what
-- counts are the rows.
create table dead_letter_counts (
  tenant_id text collate "C" primary key,
  count bigint not null
) with (fillfactor = 50);
insert into dead_letter_counts (tenant_id, count)
  select tenant_id, count(*) from dead_letters group by tenant_id;

-- Dead letters that were taken out by a decision, with where their delivery stood: a record of one that is read late, or
-- again, does not bring it back.
create table dead_letter_removals (
  delivery_id text collate "C" primary key,
  tenant_id text collate "C" not null,
  standing bigint not null,
  reason text not null,
  removed_at timestamptz not null,
  noted_at timestamptz not null default now()
);
create index dead_letter_removals_by_age on dead_letter_removals (noted_at);

create index set_aside_by_time on set_aside (set_aside_at desc, topic, partition, "offset");

-- The tenant that operational events belong to. Its endpoints are the operator's own.
insert into tenants (tenant_id, name, revision, lanes, retention_days)
  values ('posthorn', 'Operational events', 0, '{0}', 30) on conflict do nothing;
insert into quotas (tenant_id, max_events_per_sec, max_concurrent_deliveries, max_dlq_size, max_webhooks, dlq_policy)
  values ('posthorn', 1000000, 50, 2147483647, 100, 'warn') on conflict do nothing;
