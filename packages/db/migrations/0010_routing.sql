-- Expand only: the release before runs on this schema.

-- Conditions on an event's labels and payload, beside its type and labels (grammar: docs/guides/content-filters.md).
alter table endpoint_versions
  add column filter jsonb check (jsonb_typeof(filter) = 'object');

-- A system endpoint is the operator's, and gets events of all tenants in place of those of its own.
alter table endpoints
  add column scope text not null default 'tenant' check (scope in ('tenant', 'all_tenants')),
  add constraint endpoints_scope_owner_check check (scope = 'tenant' or tenant_id = 'posthorn');
