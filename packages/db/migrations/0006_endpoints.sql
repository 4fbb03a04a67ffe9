-- Expand only: the release before runs on this schema.

-- How a request is made: its method, and headers of its receiver's own (name, in lower case, to sealed value).
-- `secret_expires_at` goes with `sealed_secrets`, place by place: until when one signs; null, or no place, is no end.
-- `revision` is the endpoint's own last change, by which concurrent changes of it are told apart.
alter table endpoints
  add column method text not null default 'POST' check (method in ('POST', 'PUT')),
  add column sealed_headers jsonb not null default '{}' check (jsonb_typeof(sealed_headers) = 'object'),
  add column metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  add column secret_expires_at timestamptz[] not null default '{}',
  add column revision bigint not null default 0;

create function stamp_endpoint() returns trigger language plpgsql as $$
begin
  new.revision := current_change();
  return new;
end $$;
create trigger endpoints_stamp before insert or update on endpoints
  for each row execute function stamp_endpoint();

-- Pages of a tenant's endpoints, in the order of their ids.
create index endpoints_of_tenant on endpoints (tenant_id, endpoint_id);
