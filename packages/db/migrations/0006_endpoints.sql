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

-- The history of how requests are made: a row for each change of it, by whoever makes the change.
create function note_endpoint_request() returns trigger language plpgsql as $$
declare
  names text[] := array(select jsonb_object_keys(new.sealed_headers) order by 1);
  before endpoint_requests;
begin
  select * into before from endpoint_requests
    where endpoint_id = new.endpoint_id order by valid_from desc limit 1;
  if before.url is distinct from new.url or before.method is distinct from new.method
     or before.header_names is distinct from names then
    insert into endpoint_requests (endpoint_id, valid_from, url, method, header_names)
      values (new.endpoint_id, current_change(), new.url, new.method, names)
      on conflict (endpoint_id, valid_from) do update set
        url = excluded.url, method = excluded.method, header_names = excluded.header_names;
  end if;
  return null;
end $$;
create trigger endpoints_request_noted after insert or update of url, method, sealed_headers on endpoints
  for each row execute function note_endpoint_request();
