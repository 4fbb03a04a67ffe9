import { inTransaction, type PoolSql, type Sql } from './database.ts';
import {
  FUNCTION_RIGHTS,
  type Rights,
  SERVICE_ROLES,
  type ServiceRole,
  TABLE_RIGHTS,
} from './service-rights.ts';

export interface RightsReport {
  readonly created: readonly string[];
  /** Roles that are not there, and that this login may not create. */
  readonly missing: readonly string[];
  /** `role on table`: whose rights were other than wanted. */
  readonly changed: readonly string[];
}

export const roleName = (prefix: string, role: ServiceRole): string => `${prefix}${role}`;

/**
 * Makes the roles that are missing, and the rights of each what `service-rights.ts` says, in one transaction. Belongs
 * after the migrations; to be called by the owner of the tables.
 */
export function grantServiceRights(pool: PoolSql, prefix: string): Promise<RightsReport> {
  return inTransaction(pool, async (sql) => {
    await sql`select pg_advisory_xact_lock(hashtext('posthorn service rights'))`;
    const created: string[] = [];
    const missing: string[] = [];
    const changed: string[] = [];
    for (const role of SERVICE_ROLES) {
      const name = roleName(prefix, role);
      const made = await createRole(sql, name);
      if (made === 'refused') {
        missing.push(name);
        continue;
      }
      if (made === 'created') created.push(name);
      changed.push(...(await grantTo(sql, role, name)));
    }
    return { created, missing, changed };
  });
}

async function createRole(sql: Sql, name: string): Promise<'there' | 'created' | 'refused'> {
  const found = await sql`select 1 from pg_roles where rolname = ${name}`;
  if (found.length > 0) return 'there';
  try {
    await inTransaction(sql, async (attempt) => {
      await attempt`create role ${attempt(name)} nologin`;
      const [login] = await attempt<{ super: boolean }[]>`
        select rolsuper as super from pg_roles where rolname = current_user`;
      // So that services that share this login can take the role on.
      if (!login!.super) await attempt`grant ${attempt(name)} to current_user`;
    });
    return 'created';
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    // Roles belong to all databases of the server: another's set-up was quicker.
    if (code === DUPLICATE_OBJECT || code === UNIQUE_VIOLATION) return 'there';
    if (code === INSUFFICIENT_PRIVILEGE) return 'refused';
    throw error;
  }
}

const DUPLICATE_OBJECT = '42710';
const UNIQUE_VIOLATION = '23505';
const INSUFFICIENT_PRIVILEGE = '42501';

async function grantTo(sql: Sql, role: ServiceRole, name: string): Promise<string[]> {
  await sql.unsafe(`grant usage on schema ${await schemaOf(sql)} to "${name}"`);
  const wanted = wantedRights(role);
  const actual = await actualRights(sql, name);
  const changed: string[] = [];
  for (const subject of new Set([...wanted.keys(), ...actual.keys()])) {
    const rights = wanted.get(subject) ?? [];
    if (sorted(rights) === sorted(actual.get(subject) ?? [])) continue;
    const object = subject.includes('(') ? `function ${subject}` : `table "${subject}"`;
    await sql.unsafe(`revoke all on ${object} from "${name}"`);
    if (rights.length > 0) await sql.unsafe(`grant ${rights.join(', ')} on ${object} to "${name}"`);
    changed.push(`${name} on ${subject}`);
  }
  return changed;
}

async function schemaOf(sql: Sql): Promise<string> {
  const [row] = await sql<{ name: string }[]>`select quote_ident(current_schema()) as name`;
  return row!.name;
}

const sorted = (rights: Rights): string => [...rights].sort().join(' ');

/** By table, view or function. */
export function wantedRights(role: ServiceRole): Map<string, Rights> {
  const wanted = new Map<string, Rights>();
  for (const [table, rights] of Object.entries(TABLE_RIGHTS)) {
    if (rights[role]) wanted.set(table, rights[role]);
  }
  for (const [name, roles] of Object.entries(FUNCTION_RIGHTS)) {
    if (roles.includes(role)) wanted.set(name, ['execute']);
  }
  return wanted;
}

/** What a role was granted in this schema, spelled as `wantedRights` does. */
export async function actualRights(sql: Sql, name: string): Promise<Map<string, Rights>> {
  const rows = await sql<{ subject: string; rights: string[] }[]>`
    with granted as (
      select c.relname::text as subject, lower(acl.privilege_type) as word, null::text as column, acl.grantee
      from pg_class c, aclexplode(c.relacl) acl
      where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v')
      union all
      select c.relname, lower(acl.privilege_type), a.attname, acl.grantee
      from pg_class c join pg_attribute a on a.attrelid = c.oid, aclexplode(a.attacl) acl
      where c.relnamespace = current_schema()::regnamespace
      union all
      select p.oid::regprocedure::text, lower(acl.privilege_type), null, acl.grantee
      from pg_proc p, aclexplode(p.proacl) acl where p.pronamespace = current_schema()::regnamespace
    ), spelled as (
      select subject, word || coalesce('(' || string_agg("column", ', ' order by "column") || ')', '') as spelling
      from granted where grantee = (select oid from pg_roles where rolname = ${name})
      group by subject, word, "column" is null
    )
    select subject, array_agg(spelling) as rights from spelled group by subject`;
  return new Map(rows.map(({ subject, rights }) => [subject, rights]));
}
