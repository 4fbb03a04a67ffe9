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
create index api_keys_in_order on api_keys (created_at desc, key_id desc);

-- Portal tokens are not stored: those of a tenant that were issued until then are refused.
create table portal_revocations (
  tenant_id text collate "C" primary key references tenants on delete cascade,
  not_before timestamptz not null
);

-- Who acted beyond the key's id (`actor`), what it was before and is now, without secrets; and the row's place in the
-- chain: each hash is over the row and the hash before it. Both are given at commit, in the order of commits.
-- `by_trigger`: found by a trigger on what was changed, not told by whoever changed it.
alter table audit_log
  add column actor_name text,
  add column ip text,
  add column request_id text,
  add column before jsonb,
  add column after jsonb,
  add column by_trigger boolean not null default false,
  add column seq bigint,
  add column hash bytea;
create unique index audit_log_in_order on audit_log (seq);
create index audit_log_of_tenant on audit_log (tenant_id, seq);
create index audit_log_of_subject on audit_log (subject, seq);
create index audit_log_of_actor on audit_log (actor, seq);

-- The end of the chain, apart from its rows: a tail that is cut off is missed.
create table audit_head (
  only_row boolean primary key default true check (only_row),
  seq bigint not null,
  hash bytea not null check (length(hash) = 32)
);
insert into audit_head (seq, hash) values (0, decode(repeat('00', 32), 'hex'));

-- Length and text, so that no two rows are the same bytes.
create function audit_field(value text) returns text immutable language sql as $$
  select case when value is null then '-;' else octet_length(value) || ':' || value || ';' end
$$;

create function audit_hash(previous bytea, entry audit_log) returns bytea stable language sql as $$
  select sha256(previous || convert_to(
    audit_field(entry.seq::text)
    || audit_field((extract(epoch from entry.at) * 1000000)::bigint::text)
    || audit_field(entry.actor) || audit_field(entry.actor_name) || audit_field(entry.ip)
    || audit_field(entry.request_id) || audit_field(entry.action) || audit_field(entry.tenant_id)
    || audit_field(entry.subject) || audit_field(entry.before::text) || audit_field(entry.after::text)
    || audit_field(entry.detail::text), 'UTF8'))
$$;

-- The head is locked last in a transaction and until its end: rows are chained in the order in which they commit, and
-- whoever writes one waits for no other lock meanwhile.
create function chain_audit_entry() returns trigger language plpgsql as $$
declare
  head audit_head;
  entry audit_log := new;
begin
  -- Somebody has told what he did: what triggers saw of it says nothing more.
  if new.by_trigger and current_setting('posthorn.audited', true) = 'on' then
    delete from audit_log where audit_id = new.audit_id;
    return null;
  end if;
  select * into strict head from audit_head for update;
  entry.seq := head.seq + 1;
  entry.hash := audit_hash(head.hash, entry);
  update audit_log set seq = entry.seq, hash = entry.hash where audit_id = new.audit_id;
  update audit_head set seq = entry.seq, hash = entry.hash;
  return null;
end $$;

create function vouch_for_transaction() returns trigger language plpgsql as $$
begin
  perform set_config('posthorn.audited', 'on', true);
  return new;
end $$;
create trigger audit_log_vouch before insert on audit_log
  for each row when (not new.by_trigger) execute function vouch_for_transaction();

create function keep_audit_entry() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is only added to' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_log_keep before update or delete on audit_log
  for each row when (old.seq is not null) execute function keep_audit_entry();

-- Rows of before there was a chain come first.
do $$
declare
  entry audit_log;
  head audit_head;
begin
  select * into strict head from audit_head;
  for entry in select * from audit_log order by audit_id loop
    entry.seq := head.seq + 1;
    entry.hash := audit_hash(head.hash, entry);
    update audit_log set seq = entry.seq, hash = entry.hash where audit_id = entry.audit_id;
    head.seq := entry.seq;
    head.hash := entry.hash;
  end loop;
  update audit_head set seq = head.seq, hash = head.hash;
end $$;

create constraint trigger audit_log_chain after insert on audit_log
  deferrable initially deferred for each row execute function chain_audit_entry();

-- A change made by SQL behind the API has its row as well. Arguments: what the row is called, the column of its id,
-- columns whose values are not to be seen. What other triggers change, and what goes with its tenant or because it has
-- expired, follows from what set it off.
create function audit_row_change() returns trigger language plpgsql as $$
declare
  noun text := tg_argv[0];
  hidden text[] := tg_argv[2];
  was jsonb := case when tg_op = 'INSERT' then '{}' else to_jsonb(old) end;
  becomes jsonb := case when tg_op = 'DELETE' then '{}' else to_jsonb(new) end;
  whole jsonb := was || becomes;
  verb text := case tg_op when 'INSERT' then 'created' when 'DELETE' then 'deleted' else 'updated' end;
  changed text[];
begin
  if pg_trigger_depth() > 1 or current_setting('posthorn.audited', true) = 'on' then
    return null;
  end if;
  select array_agg(key) into changed from jsonb_object_keys(whole) key
  where was -> key is distinct from becomes -> key
    and key not in ('revision', 'lanes_revision', 'updated_at', 'skeleton');
  if changed is null then
    return null;
  end if;
  if tg_op = 'DELETE' and tg_table_name <> 'tenants' and was ->> 'tenant_id' is not null
     and not exists (select 1 from tenants where tenant_id = was ->> 'tenant_id') then
    return null;
  end if;
  if tg_op = 'DELETE' and (was ->> 'expires_at')::timestamptz <= now() then
    return null;
  end if;
  insert into audit_log (actor, actor_name, ip, action, tenant_id, subject, before, after, by_trigger)
  values (
    'sql:' || session_user, nullif(current_setting('application_name'), ''), host(inet_client_addr()),
    noun || '.' || verb, whole ->> 'tenant_id', coalesce(whole ->> tg_argv[1], ''),
    case when tg_op <> 'INSERT' then audit_view(was, changed, hidden) end,
    case when tg_op <> 'DELETE' then audit_view(becomes, changed, hidden) end, true);
  return null;
end $$;

create function audit_view(fields jsonb, changed text[], hidden text[]) returns jsonb immutable language sql as $$
  select coalesce(jsonb_object_agg(key, case
    when value = 'null' then value
    when key = any(hidden) then '"[redacted]"'
    when key = 'url' then to_jsonb(regexp_replace(value #>> '{}', '^([a-z][a-z0-9+.-]*://)[^/?#]*@', '\1[redacted]@', 'i'))
    else value end), '{}')
  from jsonb_each(fields) where key = any(changed)
$$;

create function audit_changes_of(changed regclass, noun text, id_column text, hidden text[] default '{}')
returns void language plpgsql as $$
begin
  execute format(
    'create trigger audit_changes after insert or update or delete on %s for each row '
    || 'execute function audit_row_change(%L, %L, %L)', changed, noun, id_column, hidden);
end $$;

select audit_changes_of('tenants', 'tenant', 'tenant_id');
select audit_changes_of('plans', 'plan', 'plan_id');
select audit_changes_of('quotas', 'quotas', 'tenant_id');
select audit_changes_of('event_types', 'event_type', 'name');
select audit_changes_of('event_type_versions', 'event_type_version', 'name');
select audit_changes_of('endpoints', 'endpoint', 'endpoint_id', '{sealed_secrets,sealed_headers}');
select audit_changes_of('endpoint_versions', 'subscription', 'endpoint_id');
select audit_changes_of('cancellations', 'cancellation', 'tenant_id');
select audit_changes_of('api_keys', 'key', 'key_id', '{key_hash}');
select audit_changes_of('portal_revocations', 'portal_tokens', 'tenant_id');
