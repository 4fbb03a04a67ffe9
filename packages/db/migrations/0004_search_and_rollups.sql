-- Expand only: the release before runs on this schema.

-- How far the record of `events` has come: all below is recorded or set aside. Written with the rows themselves.
create table recorded_offsets (
  topic text collate "C" not null,
  partition integer not null,
  next_offset bigint not null,
  primary key (topic, partition)
) with (fillfactor = 50);

-- Searching the record. What each index costs a row when it is written was measured: docs/perf/search.md. An update of
-- a delivery changes none of their columns while nothing has failed, so that it stays on its page.
create index events_by_tenant on events (tenant_id, event_id);
create index deliveries_by_tenant on deliveries (tenant_id, event_id);
-- The end of an endpoint's id is as good as all of it, in a third of the bytes.
create index deliveries_by_endpoint on deliveries (right(endpoint_id, 12), event_id);
create index deliveries_failing on deliveries (tenant_id, event_id) where last_failure is not null;

-- An attempt is known by its own id, which sorts by time. Of a delivery they are found by their event.
alter table attempts
  add column event_type text collate "C",
  drop constraint attempts_pkey;
alter table attempts add primary key (attempt_id, day, retention_days);
create index attempts_by_event on attempts (event_id);
create index attempts_by_tenant on attempts (tenant_id, attempt_id);
create index attempts_by_endpoint on attempts (right(endpoint_id, 12), attempt_id);
create index attempts_failing on attempts (tenant_id, attempt_id) where failure is not null;

-- The days of events whose deliveries were attempted on a day: in which partitions a day's attempts lie.
create table attempt_days (
  attempt_day date not null,
  day date not null,
  primary key (attempt_day, day)
);
insert into attempt_days (attempt_day, day)
  select distinct (started_at at time zone 'UTC')::date, day from attempts;

-- Payloads that were asked to be forgotten: of one event at once, of a tenant step by step, by the recorder.
alter table events add column payload_expunged_at timestamptz;
create table expunges (
  expunge_id uuid primary key,
  tenant_id text collate "C" not null,
  -- What was accepted before it.
  before timestamptz not null,
  asked_at timestamptz not null default now(),
  -- The last event that was looked at, in this pass.
  cursor uuid,
  pass integer not null default 1,
  events bigint not null default 0,
  done_at timestamptz
);
create unique index expunges_open on expunges (tenant_id) where done_at is null;
create index expunges_by_tenant on expunges (tenant_id, asked_at desc);

-- What happened, counted: by minute, hour and day, of each endpoint, of each tenant (endpoint_id is '') and of all
-- (tenant_id is '' too), by type and of all types (event_type is ''). Latencies are counted by buckets whose bounds stand in the code (LATENCY_BOUNDS_MS).
create table rollups (
  grain text collate "C" not null,
  -- False: of all types together.
  by_type boolean not null,
  tenant_id text collate "C" not null,
  endpoint_id text collate "C" not null,
  bucket timestamptz not null,
  event_type text collate "C" not null,
  -- Of attempts `2xx` … or `none`; '' for what is no attempt.
  status_class text collate "C" not null,
  failure text collate "C" not null,
  events bigint not null default 0,
  deliveries bigint not null default 0,
  attempts bigint not null default 0,
  succeeded bigint not null default 0,
  dead_letters bigint not null default 0,
  l0 bigint not null default 0, l1 bigint not null default 0, l2 bigint not null default 0,
  l3 bigint not null default 0, l4 bigint not null default 0, l5 bigint not null default 0,
  l6 bigint not null default 0, l7 bigint not null default 0, l8 bigint not null default 0,
  l9 bigint not null default 0, l10 bigint not null default 0, l11 bigint not null default 0,
  l12 bigint not null default 0, l13 bigint not null default 0, l14 bigint not null default 0,
  l15 bigint not null default 0, l16 bigint not null default 0, l17 bigint not null default 0,
  primary key (grain, by_type, tenant_id, endpoint_id, bucket, event_type, status_class, failure)
) partition by list (grain);
create table rollups_minute partition of rollups for values in ('minute') with (fillfactor = 70);
create table rollups_hour partition of rollups for values in ('hour') with (fillfactor = 50);
create table rollups_day partition of rollups for values in ('day') with (fillfactor = 50);
create index rollups_of_tenants on rollups (by_type, bucket) where endpoint_id = '' and tenant_id <> '';

-- Counts of one batch of the record, written with its rows, until they are added up.
create table rollup_log (
  log_id bigint generated always as identity primary key,
  counts json not null
);
alter table rollup_log alter column counts set storage external;
