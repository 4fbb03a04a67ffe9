-- Expand only: the release before runs on this schema.

-- Conditions on an event's labels and payload, beside its type and labels (grammar: docs/guides/content-filters.md).
alter table endpoint_versions
  add column filter jsonb check (jsonb_typeof(filter) = 'object');

-- The release before opens versions without naming a filter: they have that of the version before, so that nobody gets
-- more for it. Whoever knows filters says that there is none by a JSON null.
create function keep_filter() returns trigger language plpgsql as $$
begin
  if new.filter is null then
    new.filter := (
      select filter from endpoint_versions
      where endpoint_id = new.endpoint_id order by valid_from desc limit 1
    );
  elsif new.filter = 'null' then
    new.filter := null;
  end if;
  return new;
end $$;
create trigger endpoint_versions_keep_filter before insert on endpoint_versions
  for each row execute function keep_filter();

-- A system endpoint is the operator's, and gets events of all tenants in place of those of its own.
alter table endpoints
  add column scope text not null default 'tenant' check (scope in ('tenant', 'all_tenants')),
  add constraint endpoints_scope_owner_check check (scope = 'tenant' or tenant_id = 'posthorn');
