-- Expand only: the release before runs on this schema.

-- What a key may do, what it is called, and until when it is good. A key made without scopes has all of its kind.
alter table api_keys
  add column name text not null default '',
  add column scopes text[],
  add column expires_at timestamptz,
  add column created_by text;

create function scope_api_key() returns trigger language plpgsql as $$
begin
  new.scopes := case new.kind when 'operator' then array['admin'] else array['ingest', 'manage'] end;
  return new;
end $$;
create trigger api_keys_scope before insert on api_keys
  for each row when (new.scopes is null) execute function scope_api_key();

update api_keys set scopes = case kind when 'operator' then array['admin'] else array['ingest', 'manage'] end;
alter table api_keys
  alter column scopes set not null,
  add constraint api_keys_scopes_check check (
    cardinality(scopes) > 0
    and scopes <@ array['ingest', 'read', 'manage', 'admin']
    and (kind = 'operator' or not 'admin' = any(scopes))
  );

-- Who acted beyond the key's id (`actor`), and what it was before and is now, without secrets.
alter table audit_log
  add column actor_name text,
  add column ip text,
  add column request_id text,
  add column before jsonb,
  add column after jsonb;
