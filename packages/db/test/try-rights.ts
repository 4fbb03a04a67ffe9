import { randomBytes } from 'node:crypto';
import type { PoolSql } from '../src/index.ts';

/** By doing it, to no row: what the role of a connection may do with each table, view and partition of the schema. */
export async function tryRights(owner: PoolSql, sql: PoolSql): Promise<Map<string, Set<string>>> {
  await owner.unsafe(TRY_ALL).simple();
  const rows = await sql<{ subject: string; deed: string }[]>`select subject, deed from try_all()`;
  const found = new Map<string, Set<string>>();
  for (const { subject, deed } of rows) found.set(subject, (found.get(subject) ?? new Set()).add(deed));
  return found;
}

/** Reading and changing are tried column by column; what Postgres itself fills is nobody's to write. */
const TRY_ALL = `
create or replace function try_all() returns table (subject text, deed text) language plpgsql as $$
declare
  tried record;
begin
  for tried in
    with columns as (
      select c.relname as name, format('%I', c.relname) as quoted, format('%I', a.attname) as col,
             format_type(a.atttypid, a.atttypmod) as type,
             row_number() over (partition by c.oid order by a.attnum) as nth
      from pg_class c join pg_attribute a on a.attrelid = c.oid
      where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v')
        and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
    )
    select name, 'select(' || col || ')' as what, format('select %s from %s where false', col, quoted) as statement
    from columns
    union all select name, 'insert', format('insert into %s (%s) select null::%s where false', quoted, col, type)
    from columns where nth = 1
    union all select name, 'delete', format('delete from %s where false', quoted) from columns where nth = 1
    union all select name, 'truncate', format('truncate %s', quoted) from columns where nth = 1
    union all select name, 'update(' || col || ')', format('update %s set %s = null where false', quoted, col)
    from columns
  loop
    begin
      execute tried.statement;
      subject := tried.name;
      deed := tried.what;
      return next;
    exception when insufficient_privilege or wrong_object_type then
      null;
    end;
  end loop;
end $$`;

/** A role that may do everything with every table, but is not their owner: what it does not see, no policy lets it see. */
export async function createProbe(owner: PoolSql): Promise<{ role: string; drop(): Promise<void> }> {
  const role = `probe_${randomBytes(4).toString('hex')}`;
  await owner.unsafe(`
    create role ${role} nologin;
    grant usage on schema public to ${role};
    grant all on all tables in schema public to ${role};
    grant execute on all functions in schema public to ${role};`);
  return { role, drop: async () => void (await owner.unsafe(`drop owned by ${role}; drop role ${role}`)) };
}

/** One row of each tenant in every table that has tenants' rows, whatever its other columns are. */
export async function seedTenants(
  owner: PoolSql,
  tables: readonly string[],
  tenantIds: readonly string[],
): Promise<void> {
  for (const table of tables) {
    const columns = await owner<{ name: string; type: string }[]>`
      select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
      where attrelid = ${table}::regclass and attnum > 0 and not attisdropped and attgenerated = ''
        and attidentity = '' and ((attnotnull and not atthasdef) or attname = any(${NEEDED}))`;
    for (const tenantId of tenantIds) {
      const values = columns.map(({ name, type }) => `${makeUp(table, name, type, tenantId)}::${type}`);
      const names = columns.map(({ name }) => `"${name}"`);
      // Neither triggers nor references: a row for itself.
      await owner.begin((sql) => [
        sql.unsafe('set local session_replication_role = replica'),
        sql.unsafe(`insert into "${table}" (${names}) values (${values})`),
      ]);
    }
  }
}

/** What may be null, but not in every row. */
const NEEDED = ['tenant_id', 'idempotency_key'];

/** Where not just any value will do. */
const VALUES: Readonly<Record<string, string>> = {
  'tenants.lanes': "'{0}'",
  'quotas.dlq_policy': "'warn'",
  'api_keys.kind': "'tenant'",
  'api_keys.key_hash': 'sha256(gen_random_uuid()::text::bytea)',
  'api_keys.scopes': "'{read}'",
  'endpoints.sealed_secrets': "'[]'",
  'endpoint_versions.event_types': "'{*}'",
  'replays.state': "'refused'",
  'replay_jobs.kind': "'missing'",
  'rollups.grain': "'day'",
};

function makeUp(table: string, column: string, type: string, tenantId: string): string {
  if (column === 'tenant_id') return `'${tenantId}'`;
  const special = VALUES[`${table}.${column}`];
  if (special !== undefined) return special;
  if (column === 'retention_days') return '30';
  if (type === 'uuid') return 'gen_random_uuid()';
  if (type === 'timestamp with time zone' || type === 'date') return 'now()';
  if (type === 'boolean') return 'false';
  if (type.startsWith('json')) return `'{}'`;
  if (type.endsWith('[]')) return `'{}'`;
  if (type === 'bytea') return `''`;
  return /int|numeric/.test(type) ? '1' : `'${tenantId}-${table}'`;
}
