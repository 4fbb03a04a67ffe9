-- Expand only: the release before runs on this schema.

-- What a tenant is given unless it has a value of its own.
create table plans (
  plan_id text collate "C" primary key,
  name text not null default '',
  max_events_per_sec integer not null check (max_events_per_sec > 0),
  max_concurrent_deliveries integer not null check (max_concurrent_deliveries > 0),
  max_dlq_size integer not null check (max_dlq_size >= 0),
  max_webhooks integer not null check (max_webhooks >= 0),
  dlq_policy text not null check (dlq_policy in ('refuse', 'drop_oldest', 'warn')),
  retention_days smallint not null check (retention_days in (7, 30, 90)),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
insert into plans (plan_id, name, max_events_per_sec, max_concurrent_deliveries, max_dlq_size, max_webhooks,
                   dlq_policy, retention_days)
  values ('default', 'Default', 100, 50, 100, 1000, 'refuse', 30);

-- `active` → `disabled` (no new events) and back; `deleted` is the end: the id is never given again.
alter table tenants
  add column plan text collate "C" not null default 'default' references plans,
  add column metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  add column state text not null default 'active' check (state in ('active', 'disabled', 'deleted')),
  add column updated_at timestamptz not null default now(),
  add column own_retention boolean not null default false,
  -- What ids that are easily taken for each other have in common.
  add column skeleton text collate "C" not null
    generated always as (translate(lower(tenant_id), '_oil', '-011')) stored;
create index tenants_by_skeleton on tenants (skeleton);
create index tenants_by_plan on tenants (plan, tenant_id);

-- `quotas` and `tenants.retention_days` hold what is in force; these fields are the tenant's own, the others its plan's.
alter table quotas add column overrides text[] not null default '{}';

update tenants set own_retention = true where retention_days <> 30;
update quotas set overrides =
  array_remove(array[
    case when max_events_per_sec <> 100 then 'max_events_per_sec' end,
    case when max_concurrent_deliveries <> 50 then 'max_concurrent_deliveries' end,
    case when max_dlq_size <> 100 then 'max_dlq_size' end,
    case when max_webhooks <> 1000 then 'max_webhooks' end,
    case when dlq_policy <> 'refuse' then 'dlq_policy' end
  ], null);

-- Left out in an insert, or set to null, a field is the plan's.
alter table quotas
  alter column max_events_per_sec drop default,
  alter column max_concurrent_deliveries drop default,
  alter column max_dlq_size drop default,
  alter column max_webhooks drop default,
  alter column dlq_policy drop default;
alter table tenants alter column retention_days drop default;

-- However a row is written: a field is the tenant's own when it is listed, or when it was set to another value than the
-- plan's. All others follow the plan.
create function follow_plan() returns trigger language plpgsql as $$
declare
  of_plan jsonb := (
    select to_jsonb(plans) from tenants join plans on plans.plan_id = tenants.plan
    where tenants.tenant_id = new.tenant_id
  );
  given jsonb := to_jsonb(new);
  before jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) else '{}' end;
  own text[] := '{}';
  field text;
begin
  foreach field in array array['max_events_per_sec', 'max_concurrent_deliveries', 'max_dlq_size', 'max_webhooks',
                               'dlq_policy'] loop
    if given -> field <> 'null' and (
      field = any (new.overrides)
      or (given -> field is distinct from before -> field and given -> field is distinct from of_plan -> field)
    ) then
      own := own || field;
    else
      given := jsonb_set(given, array[field], coalesce(of_plan -> field, 'null'));
    end if;
  end loop;
  new := jsonb_populate_record(new, given);
  new.overrides := own;
  return new;
end $$;
create trigger quotas_follow_plan before insert or update on quotas for each row execute function follow_plan();

create function follow_retention() returns trigger language plpgsql as $$
declare
  of_plan smallint := (select retention_days from plans where plan_id = new.plan);
  was_set boolean := tg_op = 'INSERT' or new.retention_days is distinct from old.retention_days;
begin
  new.own_retention := new.retention_days is not null and (
    new.own_retention or (was_set and new.retention_days is distinct from of_plan)
  );
  if not new.own_retention then
    new.retention_days := of_plan;
  end if;
  return new;
end $$;
create trigger tenants_follow_retention before insert or update of plan, retention_days, own_retention on tenants
  for each row execute function follow_retention();

create function move_quotas() returns trigger language plpgsql as $$
begin
  update quotas set overrides = overrides where tenant_id = new.tenant_id;
  return null;
end $$;
create trigger tenants_move_quotas after update on tenants
  for each row when (old.plan is distinct from new.plan) execute function move_quotas();

-- The number of the change is taken before any row is locked, as every change does.
create function take_change() returns trigger language plpgsql as $$
begin
  perform current_change();
  return null;
end $$;
create trigger plans_take_change before update on plans for each statement execute function take_change();

create function spread_plan() returns trigger language plpgsql as $$
begin
  if old.retention_days <> new.retention_days then
    update tenants set retention_days = retention_days where plan = new.plan_id and not own_retention;
  end if;
  update quotas set overrides = overrides
  where tenant_id in (select tenant_id from tenants where plan = new.plan_id);
  return null;
end $$;
create trigger plans_spread after update on plans
  for each row when (
    (old.max_events_per_sec, old.max_concurrent_deliveries, old.max_dlq_size, old.max_webhooks, old.dlq_policy,
     old.retention_days)
    is distinct from
    (new.max_events_per_sec, new.max_concurrent_deliveries, new.max_dlq_size, new.max_webhooks, new.dlq_policy,
     new.retention_days)
  ) execute function spread_plan();

-- What each replica of ingest has admitted of a tenant. `counts` are slots of 10 ms of this server's clock, the last of
-- them `slot`; `minute_counts` are spans of 500 slots, the last of them the one that holds `slot`. Only its replica
-- writes a row, and what it writes is all that it knows: sent twice it counts once. Worth nothing after a crash.
create unlogged table rate_counts (
  tenant_id text collate "C" not null,
  replica_id text collate "C" not null,
  slot bigint not null,
  counts integer[] not null,
  minute_counts integer[] not null,
  reported_at timestamptz not null,
  primary key (tenant_id, replica_id)
) with (fillfactor = 50);

-- Since when a use near its quota has been told about: told again only after it was away from there for a while.
create table quota_warnings (
  tenant_id text collate "C" not null references tenants on delete cascade,
  quota text not null,
  seen_at timestamptz not null,
  primary key (tenant_id, quota)
);
