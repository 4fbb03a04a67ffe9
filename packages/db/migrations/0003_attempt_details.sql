-- Expand only: the release before runs on this schema, and leaves out what it does not know.

-- What is known of a request beside its outcome. Phases in milliseconds, null where the request did not pass through;
-- headers as they were kept (a JSON object); the revision of the tenant's configuration that the request was made from.
alter table attempts
  add column response_headers json,
  add column dns_ms integer,
  add column connect_ms integer,
  add column tls_ms integer,
  add column first_byte_ms integer,
  add column revision bigint;

-- How requests to an endpoint were made, by change number: an attempt is shown with what held at its revision. Of
-- headers only the names: nobody is to read a value again. Rows are written by a trigger.
create table endpoint_requests (
  endpoint_id text collate "C" not null references endpoints on delete cascade,
  valid_from bigint not null,
  url text not null,
  method text not null,
  header_names text[] not null default '{}',
  changed_at timestamptz not null default now(),
  primary key (endpoint_id, valid_from)
);
insert into endpoint_requests (endpoint_id, valid_from, url, method, changed_at)
  select endpoint_id, 0, url, 'POST', created_at from endpoints;

-- Circuits as their workers see them: one row for each worker that has opened one. Open while there is a next probe.
create table endpoint_circuits (
  endpoint_id text collate "C" not null,
  worker_id text collate "C" not null,
  tenant_id text collate "C" not null,
  next_probe_at timestamptz,
  changed_at timestamptz not null,
  primary key (endpoint_id, worker_id)
);

-- Records of a tenant that a worker has passed over in `overflow`.
alter table tenant_load add column overflow integer not null default 0;
