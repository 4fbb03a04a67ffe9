-- Expand only: the release before connects as the owner of these tables, whom row security lets pass.

-- Of which tenant a connection works: set by whoever opens it, or for one transaction. `*` is all of them; unset is none.
-- A later migration that makes a table with tenants' rows calls this for it; what services may do with the table stands
-- in packages/db/src/service-rights.ts. `belongs` says by what a row is a tenant's, where it is not by `tenant_id`.
create function wall_off(walled regclass, belongs text default 'tenant_id = (select nullif(current_setting(''posthorn.tenant'', true), ''''))')
returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', walled);
  -- Asked once a statement, not once a row.
  execute format(
    'create policy of_tenant on %s using ((select current_setting(''posthorn.tenant'', true)) = ''*'' or %s)',
    walled, belongs);
end $$;

-- Partitions are reached by their parents alone, and parents' policies hold there: nobody is granted a partition.
do $$
declare
  walled regclass;
begin
  for walled in
    select c.oid::regclass from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and a.attname = 'tenant_id' and not a.attisdropped
    order by c.relname
  loop
    perform wall_off(walled);
  end loop;
end $$;
select wall_off('endpoint_requests', 'exists (select 1 from endpoints e where e.endpoint_id = endpoint_requests.endpoint_id)');
-- Records and counts of all tenants, for operators and for the recorder.
select wall_off('set_aside', 'false');
select wall_off('rollup_log', 'false');

-- What a policy stands in front of, only leakproof conditions go into an index scan, and `right()`, by which the indexes
-- of webhooks' rows go, is none: lists read these views, which keep the same rows back and leave the planner free.
create view deliveries_in_scope as
  select * from deliveries
  where (select current_setting('posthorn.tenant', true)) = '*'
     or tenant_id = (select nullif(current_setting('posthorn.tenant', true), ''))
     or (select not row_security_active('deliveries'));
create view attempts_in_scope as
  select * from attempts
  where (select current_setting('posthorn.tenant', true)) = '*'
     or tenant_id = (select nullif(current_setting('posthorn.tenant', true), ''))
     or (select not row_security_active('attempts'));

-- What only the owner of the tables can do, for the recorder, and no more of it than it needs.

-- The partition of one day, with the rows of that day that came before it. False when it is there.
create function make_day_partition(parent text, day date, fill_factor integer) returns boolean language plpgsql as $$
declare
  name text := parent || '_p' || to_char(day, 'YYYYMMDD');
  remainder text := parent || '_default';
begin
  if parent !~ '^(events|deliveries|attempts|dead_letters)_(7|30|90)$' then
    raise exception 'the record has no table %', parent using errcode = 'invalid_parameter_value';
  end if;
  -- One at a time: two recorders start together. A name that is there by now is theirs.
  perform pg_advisory_xact_lock(hashtext(parent));
  if to_regclass(quote_ident(name)) is not null then
    return false;
  end if;
  -- A day that has rows in the default partition cannot be attached: they move first, with writers waiting.
  execute format('lock table %I in access exclusive mode', remainder);
  execute format('create table %I (like %I including all) with (fillfactor = %s)', name, parent, fill_factor);
  execute format('with moved as (delete from %I where day = %L returning *) insert into %I select * from moved',
    remainder, day, name);
  execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, name, day, day + 1);
  return true;
end $$;

-- Refuses a day that its class still keeps.
create function drop_day_partition(parent text, day date) returns void language plpgsql as $$
declare
  kept_days integer := substring(parent from '_(7|30|90)$')::integer;
begin
  if parent !~ '^(events|deliveries|attempts|dead_letters)_(7|30|90)$'
     or day >= (now() at time zone 'UTC')::date - kept_days then
    raise exception 'the rows of % of % are kept', parent, day using errcode = 'insufficient_privilege';
  end if;
  execute format('drop table if exists %I', parent || '_p' || to_char(day, 'YYYYMMDD'));
end $$;

-- Rows that no day's partition took, at most `most` counted.
create function count_unpartitioned_rows(most integer) returns integer language plpgsql as $$
declare
  remainder text;
  found integer;
  total integer := 0;
begin
  for remainder in
    select c.relname from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relispartition
      and c.relname ~ '^(events|deliveries|attempts|dead_letters)_(7|30|90)_default$'
  loop
    execute format('select count(*) from (select 1 from %I limit %s) rows', remainder, most - total) into found;
    total := total + found;
  end loop;
  return total;
end $$;

-- These run as the owner, whoever sets them off: the counters, marks and chains that they keep are nobody's to write.
do $$
declare
  name text;
begin
  foreach name in array array[
    'current_change()', 'touch_tenant()', 'touch_catalogue()', 'note_endpoint_request()', 'chain_audit_entry()',
    'make_day_partition(text, date, integer)', 'drop_day_partition(text, date)', 'count_unpartitioned_rows(integer)'
  ] loop
    execute format('alter function %s security definer', name);
    -- Nobody else's schema is looked into, not even that of temporary tables, which anybody may fill.
    execute format('alter function %s set search_path = %I, pg_temp', name, current_schema());
    execute format('revoke execute on function %s from public', name);
  end loop;
end $$;
revoke execute on function wall_off(regclass, text) from public;
