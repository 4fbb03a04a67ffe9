-- Expand only: the release before runs on this schema. It signs with secrets alone, whatever `signatures` says, and a
-- rotation that it makes leaves the ed25519 keys as they are.

-- Which signatures requests carry: `v1` by the secrets, `v1a` by ed25519 keys. Keys are there from the first time that
-- `v1a` is asked for, newest first; `signing_public_keys` and `signing_keys_expire_at` go with them place by place.
alter table endpoints
  add column signatures text[] not null default '{v1}'
    check (signatures in ('{v1}', '{v1a}', '{v1,v1a}')),
  add column sealed_signing_keys jsonb not null default '[]' check (jsonb_typeof(sealed_signing_keys) = 'array'),
  add column signing_public_keys text[] not null default '{}',
  add column signing_keys_expire_at timestamptz[] not null default '{}',
  add constraint endpoints_signing_keys_whole check (
    jsonb_array_length(sealed_signing_keys) = cardinality(signing_public_keys)
    and cardinality(signing_public_keys) = cardinality(signing_keys_expire_at)
    and (not 'v1a' = any(signatures) or cardinality(signing_public_keys) > 0));

-- Which signatures a request was made with.
alter table endpoint_requests add column signatures text[] not null default '{v1}';

create or replace function note_endpoint_request() returns trigger language plpgsql as $$
declare
  names text[] := array(
    select jsonb_object_keys(new.sealed_headers)
    union select coalesce(new.auth ->> 'header', 'authorization') where new.auth is not null
    order by 1);
  parts text[] := array(select jsonb_object_keys(coalesce(new.tls, '{}')) order by 1);
  before endpoint_requests;
begin
  select * into before from endpoint_requests
    where endpoint_id = new.endpoint_id order by valid_from desc limit 1;
  if before.url is distinct from new.url or before.method is distinct from new.method
     or before.header_names is distinct from names or before.tls_parts is distinct from parts
     or before.signatures is distinct from new.signatures then
    insert into endpoint_requests (endpoint_id, valid_from, url, method, header_names, tls_parts, signatures)
      values (new.endpoint_id, current_change(), new.url, new.method, names, parts, new.signatures)
      on conflict (endpoint_id, valid_from) do update set
        url = excluded.url, method = excluded.method, header_names = excluded.header_names,
        tls_parts = excluded.tls_parts, signatures = excluded.signatures;
  end if;
  return null;
end $$;
drop trigger endpoints_request_noted on endpoints;
create trigger endpoints_request_noted
  after insert or update of url, method, sealed_headers, auth, tls, signatures on endpoints
  for each row execute function note_endpoint_request();
