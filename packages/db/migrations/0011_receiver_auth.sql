-- Expand only: the release before runs on this schema. It sends without what these columns say.

-- How requests prove to their receiver who sends them, and by which certificates each side is known: what may be shown
-- of it, with a mask in place of what is secret, and all of it sealed.
alter table endpoints
  add column auth jsonb check (jsonb_typeof(auth) = 'object'),
  add column sealed_auth text,
  add column tls jsonb check (jsonb_typeof(tls) = 'object'),
  add column sealed_tls text,
  add constraint endpoints_auth_whole check ((auth is null) = (sealed_auth is null)),
  add constraint endpoints_tls_whole check ((tls is null) = (sealed_tls is null));

-- Which parts of `tls` a request was made with. The name of the header that carries `auth` is among the header names.
alter table endpoint_requests add column tls_parts text[] not null default '{}';

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
     or before.header_names is distinct from names or before.tls_parts is distinct from parts then
    insert into endpoint_requests (endpoint_id, valid_from, url, method, header_names, tls_parts)
      values (new.endpoint_id, current_change(), new.url, new.method, names, parts)
      on conflict (endpoint_id, valid_from) do update set
        url = excluded.url, method = excluded.method, header_names = excluded.header_names,
        tls_parts = excluded.tls_parts;
  end if;
  return null;
end $$;
drop trigger endpoints_request_noted on endpoints;
create trigger endpoints_request_noted
  after insert or update of url, method, sealed_headers, auth, tls on endpoints
  for each row execute function note_endpoint_request();

-- Whatever is sealed is hidden, also in columns that come later.
create or replace function audit_view(fields jsonb, changed text[], hidden text[]) returns jsonb immutable language sql as $$
  select coalesce(jsonb_object_agg(key, case
    when value = 'null' then value
    when key = any(hidden) or starts_with(key, 'sealed_') then '"[redacted]"'
    when key = 'url' then to_jsonb(regexp_replace(value #>> '{}', '^([a-z][a-z0-9+.-]*://)[^/?#]*@', '\1[redacted]@', 'i'))
    else value end), '{}')
  from jsonb_each(fields) where key = any(changed)
$$;
