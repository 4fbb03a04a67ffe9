-- Expand only: the release before runs on this schema.

-- The catalogue of event types is the operator's, one for all tenants. Every change of it, by whomever, raises its
-- revision: services that hold the catalogue see by it that they have to read it again.
create table event_catalogue (
  only_row boolean primary key default true check (only_row),
  revision bigint not null
);
insert into event_catalogue (revision) values (0);

create table event_types (
  name text collate "C" primary key,
  description text not null default '',
  state text collate "C" not null default 'active' check (state in ('active', 'deprecated', 'archived')),
  enforcement text collate "C" not null default 'off' check (enforcement in ('off', 'warn', 'reject')),
  current_version integer not null default 1 check (current_version > 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- A version never changes. Schema and examples are JSON texts: jsonb would refuse or reorder what a schema may hold.
create table event_type_versions (
  name text collate "C" not null references event_types on delete cascade,
  version integer not null check (version > 0),
  schema text check (schema is null or json_typeof(schema::json) in ('object', 'boolean')),
  examples text not null default '[]' check (json_typeof(examples::json) = 'array'),
  created_at timestamptz not null default now(),
  primary key (name, version)
);

create function touch_catalogue() returns trigger language plpgsql as $$
begin
  update event_catalogue set revision = revision + 1;
  return null;
end $$;
create trigger event_types_touch after insert or update or delete or truncate on event_types
  for each statement execute function touch_catalogue();
create trigger event_type_versions_touch after insert or update or delete or truncate on event_type_versions
  for each statement execute function touch_catalogue();

-- What becomes of a tenant's events whose type is not in the catalogue, or archived.
alter table tenants
  add column unknown_event_types text collate "C" not null default 'allow'
    check (unknown_event_types in ('allow', 'warn', 'reject'));
