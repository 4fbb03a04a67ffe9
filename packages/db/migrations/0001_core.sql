-- Configuration. Every change takes the next number of one sequence inside its transaction: the row lock makes the
-- order of commits the order of numbers, so a reader that has seen number n has seen every change up to n.
create table config_sequence (
  only_row boolean primary key default true check (only_row),
  value bigint not null
);
insert into config_sequence (value) values (0);

create table tenants (
  tenant_id text collate "C" primary key,
  name text not null default '',
  revision bigint not null,
  lanes integer[] not null check (cardinality(lanes) > 0),
  retention_days smallint not null default 30 check (retention_days in (7, 30, 90)),
  created_at timestamptz not null default now()
);
create index tenants_by_revision on tenants (revision);

create table quotas (
  tenant_id text collate "C" primary key references tenants on delete cascade,
  max_events_per_sec integer not null default 100 check (max_events_per_sec > 0),
  max_concurrent_deliveries integer not null default 50 check (max_concurrent_deliveries > 0),
  max_dlq_size integer not null default 100 check (max_dlq_size >= 0),
  max_webhooks integer not null default 1000 check (max_webhooks >= 0),
  dlq_policy text not null default 'refuse' check (dlq_policy in ('refuse', 'drop_oldest', 'warn'))
);

create table api_keys (
  key_id text collate "C" primary key,
  key_hash bytea not null unique check (length(key_hash) = 32),
  kind text not null check (kind in ('operator', 'tenant')),
  tenant_id text collate "C" references tenants on delete cascade,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  check ((kind = 'tenant') = (tenant_id is not null))
);
create index api_keys_by_tenant on api_keys (tenant_id);

create table endpoints (
  endpoint_id text collate "C" primary key,
  tenant_id text collate "C" not null references tenants on delete cascade,
  url text not null,
  description text not null default '',
  sealed_secrets jsonb not null check (jsonb_typeof(sealed_secrets) = 'array'),
  retry_schedule_ms integer[],
  attempt_timeout_ms integer check (attempt_timeout_ms between 100 and 60000),
  state text not null default 'active' check (state in ('active', 'disabled', 'deleted')),
  state_reason text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index endpoints_by_tenant on endpoints (tenant_id);

-- What an endpoint subscribes to, by change number: an event is matched by the versions valid at its revision.
create table endpoint_versions (
  endpoint_id text collate "C" not null references endpoints on delete cascade,
  valid_from bigint not null,
  valid_until bigint check (valid_until > valid_from),
  closed_at timestamptz,
  tenant_id text collate "C" not null references tenants on delete cascade,
  event_types text[] not null check (cardinality(event_types) > 0),
  labels jsonb not null default '{}' check (jsonb_typeof(labels) = 'object'),
  primary key (endpoint_id, valid_from)
);
create index endpoint_versions_by_tenant on endpoint_versions (tenant_id);
create unique index endpoint_versions_open on endpoint_versions (endpoint_id) where valid_until is null;

create table ingest_replicas (
  replica_id text collate "C" primary key,
  applied bigint not null,
  seen_at timestamptz not null
);

create table audit_log (
  audit_id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  tenant_id text collate "C",
  subject text not null,
  detail jsonb not null default '{}'
);
create index audit_log_by_tenant on audit_log (tenant_id, at);

-- The number of the change under way: one a transaction, whoever asks first takes it.
create function current_change() returns bigint language plpgsql as $$
declare
  taken text := current_setting('posthorn.change', true);
  number bigint;
begin
  if taken is not null and taken <> '' then
    return taken::bigint;
  end if;
  update config_sequence set value = value + 1 returning value into number;
  perform set_config('posthorn.change', number::text, true);
  return number;
end $$;

-- A row changed by SQL behind the API becomes effective as well: it moves its tenant to the current change.
create function touch_tenant() returns trigger language plpgsql as $$
declare
  changed text := case when tg_op = 'DELETE' then old.tenant_id else new.tenant_id end;
  number bigint := current_change();
begin
  update tenants set revision = number where tenant_id = changed and revision < number;
  return null;
end $$;

create function stamp_tenant() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' or new.revision is not distinct from old.revision then
    new.revision := current_change();
  end if;
  return new;
end $$;

create trigger tenants_stamp before insert or update on tenants for each row execute function stamp_tenant();
create trigger quotas_touch after insert or update or delete on quotas
  for each row execute function touch_tenant();
create trigger endpoints_touch after insert or update or delete on endpoints
  for each row execute function touch_tenant();
create trigger endpoint_versions_touch after insert or update or delete on endpoint_versions
  for each row execute function touch_tenant();

-- The record: written by the recorder alone. Partitioned by retention class, then by the day in the event's id, so
-- that expiry is a dropped table and a lookup by id reads one day. Ids come first in the keys: they are looked up
-- without knowing the class. Partitions of days are made by the set-up job and the recorder; the default ones catch
-- what falls outside them.
create table events (
  tenant_id text collate "C" not null,
  event_id uuid not null,
  type text collate "C" not null,
  labels jsonb not null,
  content_type text not null,
  payload bytea not null,
  occurred_at timestamptz not null,
  accepted_at timestamptz not null,
  revision bigint not null,
  retention_days smallint not null,
  day date not null,
  primary key (event_id, day, retention_days)
) partition by list (retention_days);

create table deliveries (
  tenant_id text collate "C" not null,
  delivery_id text collate "C" not null,
  event_id uuid not null,
  endpoint_id text collate "C" not null,
  event_type text collate "C" not null,
  run integer not null,
  state text collate "C" not null,
  round integer not null,
  attempt integer not null,
  -- The order of standings (round, attempt, state) as one number: an update only ever raises it.
  standing bigint not null,
  next_due_at timestamptz,
  last_failure text collate "C",
  last_status integer,
  last_error text collate "C",
  updated_at timestamptz not null,
  -- How often the row was written again after its insert.
  rewrites integer not null default 0,
  retention_days smallint not null,
  day date not null,
  primary key (delivery_id, day, retention_days)
) partition by list (retention_days);

create table attempts (
  attempt_id uuid not null,
  delivery_id text collate "C" not null,
  tenant_id text collate "C" not null,
  endpoint_id text collate "C" not null,
  event_id uuid not null,
  run integer not null,
  round integer not null,
  attempt integer not null,
  state text collate "C" not null,
  started_at timestamptz not null,
  duration_ms integer not null,
  status integer,
  failure text collate "C",
  error text,
  response_body bytea,
  trace_id text collate "C" not null,
  retention_days smallint not null,
  day date not null,
  primary key (delivery_id, attempt_id, day, retention_days)
) partition by list (retention_days);

create table dead_letters (
  delivery_id text collate "C" not null,
  tenant_id text collate "C" not null,
  endpoint_id text collate "C" not null,
  event_id uuid not null,
  event_type text collate "C" not null,
  run integer not null,
  round integer not null,
  standing bigint not null,
  reason text collate "C" not null,
  last_failure text collate "C" not null,
  last_status integer,
  last_error text not null,
  attempts integer not null,
  failed_at timestamptz not null,
  topic text collate "C" not null,
  partition integer not null,
  "offset" bigint not null,
  retention_days smallint not null,
  day date not null,
  primary key (delivery_id, day, retention_days)
) partition by list (retention_days);
create index dead_letters_by_tenant on dead_letters (tenant_id, failed_at desc, delivery_id);

do $$
declare
  parent text;
  days integer;
begin
  foreach parent in array array['events', 'deliveries', 'attempts', 'dead_letters'] loop
    foreach days in array array[7, 30, 90] loop
      execute format('create table %I partition of %I for values in (%s) partition by range (day)',
        parent || '_' || days, parent, days);
      execute format('create table %I partition of %I default',
        parent || '_' || days || '_default', parent || '_' || days);
    end loop;
  end loop;
end $$;

-- Each replay, once: by the record or call that asked for it, and by the round it opens.
create table replays (
  replay_id uuid primary key,
  tenant_id text collate "C" not null,
  event_id uuid not null,
  endpoint_id text collate "C" not null,
  delivery_id text collate "C" not null,
  previous_delivery_id text collate "C" not null,
  run integer not null,
  round integer not null,
  source_topic text collate "C" not null,
  source_partition integer not null,
  source_offset bigint not null,
  state text collate "C" not null check (state in ('dispatched', 'refused')),
  reason text,
  created_at timestamptz not null default now(),
  unique (source_topic, source_partition, source_offset, endpoint_id)
);
create unique index replays_by_round on replays (delivery_id, round) where state = 'dispatched';
create index replays_by_tenant on replays (tenant_id, created_at);

-- Records that the recorder could not write, kept where an operator sees them.
create table set_aside (
  topic text collate "C" not null,
  partition integer not null,
  "offset" bigint not null,
  reason text not null,
  headers jsonb not null,
  set_aside_at timestamptz not null default now(),
  primary key (topic, partition, "offset")
);
