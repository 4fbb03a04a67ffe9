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
