import { mintEndpointId } from '@posthorn/contracts';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { actualRights, wantedRights } from '../src/grant-rights.ts';
import {
  createEndpoint,
  createTenant,
  type Database,
  EVERY_TENANT,
  insertAuditEntry,
  loadTenants,
  openDatabase,
  type PoolSql,
  processActor,
  SERVICE_ROLES,
  type ServiceRole,
  TABLE_RIGHTS,
  verifyAuditLog,
  withinTenant,
} from '../src/index.ts';
import { createProbe, seedTenants, tryRights } from './try-rights.ts';

/** Tables without a `tenant_id` that hold tenants' rows all the same. */
const WALLED_BESIDES = ['endpoint_requests', 'rollup_log', 'set_aside'];
/** Nobody's but the migrator's. */
const OF_THE_MIGRATOR = ['schema_migrations'];

let owner: Database;
const opened: Database[] = [];

async function open(options: { role?: string; tenant?: string; pool?: number }): Promise<PoolSql> {
  const database = openDatabase({ url: await databaseUrl(), pool: 2, applicationName: 'test', ...options });
  opened.push(database);
  return database.sql;
}
const as = (role: ServiceRole, tenant?: string): Promise<PoolSql> =>
  open({ role: `posthorn_${role}`, ...(tenant === undefined ? {} : { tenant }) });

let tables: { name: string; hasTenant: boolean; isWalled: boolean }[];
beforeAll(async () => {
  owner = openDatabase({ url: await databaseUrl(), pool: 2, applicationName: 'test' });
  opened.push(owner);
  tables = await owner.sql<typeof tables>`
    select c.relname as name, c.relrowsecurity as is_walled,
           exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id') as has_tenant
    from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    order by 1`;
});
afterAll(() => Promise.all(opened.map((database) => database.close())));

const walled = (): string[] => tables.filter(({ isWalled }) => isWalled).map(({ name }) => name);
const ofTenants = (): string[] => tables.filter(({ hasTenant }) => hasTenant).map(({ name }) => name);

describe('rights', () => {
  test('every table has its line, and every line its table', async () => {
    const views = await owner.sql<{ name: string }[]>`
      select relname as name from pg_class where relkind = 'v' and relnamespace = current_schema()::regnamespace`;
    const names = [...tables, ...views].map(({ name }) => name);
    expect(names.filter((name) => TABLE_RIGHTS[name] === undefined)).toEqual(OF_THE_MIGRATOR);
    expect(Object.keys(TABLE_RIGHTS).filter((name) => !names.includes(name))).toEqual([]);
  });

  test.each(SERVICE_ROLES)('%s was granted what its lines say', async (role) => {
    const bySubject = (rights: ReadonlyMap<string, readonly string[]>) =>
      Object.fromEntries([...rights].map(([subject, words]) => [subject, [...words].sort()]));
    const actual = await actualRights(owner.sql, `posthorn_${role}`);
    expect(bySubject(actual)).toEqual(bySubject(wantedRights(role)));
  });

  test.each(SERVICE_ROLES)('%s can do that, and nothing else, with any table or partition', async (role) => {
    const can = await tryRights(owner.sql, await as(role, EVERY_TENANT));
    for (const [table, deeds] of can) {
      const rights = TABLE_RIGHTS[table]?.[role] ?? [];
      expect({ table, beyond: [...deeds].filter((deed) => !includes(rights, deed)) }).toEqual({
        table,
        beyond: [],
      });
      const missing = rights.filter((right) => deedsOf(right).some((deed) => !deeds.has(deed)));
      expect({ table, missing }).toEqual({ table, missing: [] });
    }
    const reached = Object.keys(TABLE_RIGHTS).filter((table) => TABLE_RIGHTS[table]![role] !== undefined);
    expect([...can.keys()].sort()).toEqual(reached.sort());
  });

  test('nobody but the owner may call or replace what runs as the owner, and it looks into no other schema', async () => {
    const functions = await owner.sql<{ name: string; isPublic: boolean; path: string | null }[]>`
      select p.oid::regprocedure::text as name, has_function_privilege('public', p.oid, 'execute') as is_public,
             array_to_string(p.proconfig, ' ') as path
      from pg_proc p where p.pronamespace = current_schema()::regnamespace and p.prosecdef order by 1`;
    expect(functions.map(({ name }) => name)).toEqual([
      'chain_audit_entry()',
      'count_unpartitioned_rows(integer)',
      'current_change()',
      'drop_day_partition(text,date)',
      'make_day_partition(text,date,integer)',
      'note_endpoint_request()',
      'touch_catalogue()',
      'touch_tenant()',
    ]);
    for (const { isPublic, path } of functions)
      expect([isPublic, path]).toEqual([false, 'search_path=public, pg_temp']);
  });
});

test('the dispatcher, which has the key ring for other ends, reads nothing that is sealed', async () => {
  const sql = await as('dispatcher', EVERY_TENANT);
  const columns = await owner.sql<{ name: string }[]>`
    select attname as name from pg_attribute where attrelid = 'endpoints'::regclass and starts_with(attname, 'sealed_')`;
  expect(columns.length).toBeGreaterThan(3);
  for (const { name } of columns)
    await expect(sql`select ${sql(name)} from endpoints`).rejects.toThrow('permission denied');
  expect(await loadTenants(sql, ['posthorn'], false)).toMatchObject([{ tenantId: 'posthorn' }]);
});

describe('row security', () => {
  const TENANTS = ['acme', 'other'];
  let probe: { role: string; drop(): Promise<void> };

  beforeAll(async () => {
    await seedTenants(owner.sql, ofTenants(), TENANTS);
    await owner.sql`insert into endpoint_requests (endpoint_id, valid_from, url, method)
      select endpoint_id, 1, url, method from endpoints`;
    await owner.sql`insert into set_aside (topic, partition, "offset", reason, headers) values ('t', 0, 0, '', '{}')`;
    await owner.sql`insert into rollup_log (counts) values ('[]')`;
    probe = await createProbe(owner.sql);
  });
  afterAll(() => probe?.drop());

  const tenantsSeen = async (sql: PoolSql, table: string): Promise<string[]> =>
    (
      await sql<{ tenantId: string }[]>`
      select distinct tenant_id from ${sql(table)} where tenant_id = any(${TENANTS}) order by 1`
    ).map(({ tenantId }) => tenantId);

  test('stands in front of every table with rows of tenants', () => {
    expect(walled()).toEqual([...ofTenants(), ...WALLED_BESIDES].sort());
  });

  test.each(SERVICE_ROLES)('%s sees no row of any of them before a tenant is set', async (role) => {
    const [unset, empty] = [await as(role), await as(role, '')];
    for (const table of [...walled(), 'deliveries_in_scope', 'attempts_in_scope']) {
      if (!mayRead(table, role)) continue;
      for (const sql of [unset, empty])
        expect({ table, rows: (await sql`select 1 from ${sql(table)} limit 1`).count }).toEqual({
          table,
          rows: 0,
        });
    }
  });

  test.each(SERVICE_ROLES)('%s sees all of them when it works for all tenants', async (role) => {
    const sql = await as(role, EVERY_TENANT);
    for (const table of walled()) {
      if (!mayRead(table, role)) continue;
      const { count } = await sql`select 1 from ${sql(table)}`;
      expect({ table, count }).toEqual({
        table,
        count: (await owner.sql`select 1 from ${owner.sql(table)}`).count,
      });
    }
  });

  test('a question without a condition shows the tenant’s own rows alone, of every table', async () => {
    const sql = await open({ role: probe.role, tenant: EVERY_TENANT });
    for (const table of [...ofTenants(), 'deliveries_in_scope', 'attempts_in_scope']) {
      const seen = await withinTenant(sql, 'acme', (own) => tenantsSeen(own as PoolSql, table));
      expect({ table, seen }).toEqual({ table, seen: ['acme'] });
    }
    await withinTenant(sql, 'acme', async (own) => {
      const urls = await own`select 1 from endpoint_requests r join endpoints using (endpoint_id)`;
      expect([urls.count, (await own`select 1 from endpoint_requests`).count]).toEqual([1, 1]);
      expect((await own`select 1 from set_aside union all select 1 from rollup_log`).count).toBe(0);
    });
  });

  test('a change without a condition changes and removes the tenant’s own rows alone', async () => {
    const sql = await open({ role: probe.role, tenant: EVERY_TENANT });
    for (const table of ofTenants()) {
      if (table === 'audit_log') continue;
      const touched = await undone(() =>
        withinTenant(sql, 'acme', async (own) => {
          const changed = await own`update ${own(table)} set tenant_id = tenant_id returning tenant_id`;
          const removed = await own`delete from ${own(table)} returning tenant_id`;
          throw new Undone([changed, removed].map((rows) => [...new Set(rows.map((row) => row.tenantId))]));
        }),
      );
      expect({ table, touched }).toEqual({ table, touched: [['acme'], ['acme']] });
    }
  });

  test('no row is written into another tenant’s, or moved there', async () => {
    const sql = await open({ role: probe.role, tenant: EVERY_TENANT });
    for (const table of ofTenants()) {
      if (table === 'audit_log') continue;
      const moved = withinTenant(sql, 'acme', (own) => own`update ${own(table)} set tenant_id = 'other'`);
      await expect(moved, table).rejects.toThrow('row-level security');
    }
    const entry = { actor: processActor('test'), action: 'x', tenantId: 'other', subject: 'x' };
    await expect(withinTenant(sql, 'acme', (own) => insertAuditEntry(own, entry))).rejects.toThrow(
      'row-level security',
    );
  });

  test('what was set for one question is gone with it, also when it failed', async () => {
    const sql = await open({ role: probe.role, tenant: EVERY_TENANT, pool: 1 });
    await withinTenant(sql, 'acme', (own) => own`select 1`);
    await expect(withinTenant(sql, 'acme', (own) => own`select 1 / 0`)).rejects.toThrow('division by zero');
    expect(await tenantsSeen(sql, 'endpoints')).toEqual(TENANTS);
  });

  test('questions of two tenants at a time do not mix', async () => {
    const sql = await open({ role: probe.role });
    const seen = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        withinTenant(sql, TENANTS[i % 2]!, (own) => tenantsSeen(own as PoolSql, 'deliveries')),
      ),
    );
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => [TENANTS[i % 2]]));
  });

  test.each(['', EVERY_TENANT])('nobody asks in the name of "%s"', async (tenantId) => {
    const sql = await as('ingest', EVERY_TENANT);
    expect(() => withinTenant(sql, tenantId, async () => 1)).toThrow('is not a tenant');
  });

  test('the owner, as whom the release before connects, sees everything', async () => {
    for (const table of ofTenants()) expect(await tenantsSeen(owner.sql, table)).toEqual(TENANTS);
  });
});

describe('what services set off runs as the owner', () => {
  test('ingest makes tenants and endpoints, numbers and history of which it could not write itself', async () => {
    const sql = await as('ingest', EVERY_TENANT);
    await createTenant(sql, { tenantId: 'made', name: '', lanes: [1] });
    const endpointId = mintEndpointId(Date.UTC(2026, 10, 22));
    const wish = { endpointId, url: 'https://example.com/', description: '', sealedSecrets: ['x'] };
    const rest = { eventTypes: ['*'], labels: {}, retryScheduleMs: null, attemptTimeoutMs: null };
    const made = await withinTenant(sql, 'made', (own) =>
      createEndpoint(own, 'made', { ...wish, ...rest } as never),
    );
    expect(made.kind).toBe('created');
    const history = await owner.sql`select url from endpoint_requests where endpoint_id = ${endpointId}`;
    expect([...history]).toEqual([{ url: 'https://example.com/' }]);
    await expect(sql`update config_sequence set value = 0`).rejects.toThrow('permission denied');
  });

  test.each(['ingest', 'recorder'] as const)('%s adds to the audit log, and can only add', async (role) => {
    const sql = await as(role, EVERY_TENANT);
    await insertAuditEntry(sql, { actor: processActor(role), action: 'x', tenantId: null, subject: role });
    const [entry] = await owner.sql`
      select seq is not null as chained from audit_log where subject = ${role} and action = 'x'`;
    expect(entry).toEqual({ chained: true });
    for (const change of ['update audit_log set actor = $1', 'delete from audit_log where actor = $1'])
      await expect(sql.unsafe(change, ['x'])).rejects.toThrow('permission denied');
    await expect(sql`update audit_head set seq = 0`).rejects.toThrow('permission denied');
    // Rows that were sown here without their place in the chain are not what this is about.
    await owner.sql`delete from audit_log where seq is null`;
    expect((await verifyAuditLog(owner.sql)).faults).toEqual([]);
  });

  test('the recorder drops no day that is still kept, and makes tables of no other kind', async () => {
    const sql = await as('recorder', EVERY_TENANT);
    await expect(sql`select drop_day_partition('events_30', current_date - 3)`).rejects.toThrow('are kept');
    for (const parent of ['tenants', 'events', 'events_30; drop table events'])
      await expect(sql`select make_day_partition(${parent}, current_date, 100)`).rejects.toThrow('no table');
    await expect(sql`create table mine (n int)`).rejects.toThrow('permission denied');
  });
});

test('lists of a webhook’s rows still go by its index', async () => {
  const sql = await as('ingest', EVERY_TENANT);
  const planOf = (from: string): Promise<string> =>
    sql.begin(async (own) => {
      await own`set local enable_seqscan = off`;
      const lines = await own.unsafe(
        `explain select 1 from ${from} where day = '2026-01-01' and right(endpoint_id, 12) = '012345678901'`,
      );
      return lines.map((line) => Object.values(line)[0]).join('\n');
    });
  for (const table of ['deliveries', 'attempts']) {
    expect(await planOf(`${table}_in_scope`)).toMatch(/Index Cond: \(+"right"\(endpoint_id, 12\)/);
    // Why there are views: a day on which this holds they can go.
    expect(await planOf(table)).not.toMatch(/Index Cond: \(+"right"\(endpoint_id, 12\)/);
  }
});

/** `select(a, b)` as what is tried: one deed a column. Of a right to all columns what is found is held against the right. */
function deedsOf(right: string): string[] {
  const [, verb, columns] = /^(select|update)\((.+)\)$/.exec(right) ?? [];
  if (columns !== undefined) return columns.split(', ').map((column) => `${verb}(${column})`);
  return right === 'select' || right === 'update' ? [] : [right];
}

function includes(rights: readonly string[], deed: string): boolean {
  const verb = deed.replace(/\(.+$/, '');
  return rights.includes(verb) || rights.flatMap(deedsOf).includes(deed);
}

const mayRead = (table: string, role: ServiceRole): boolean =>
  TABLE_RIGHTS[table]?.[role]?.some((right) => right.startsWith('select')) ?? false;

class Undone extends Error {
  readonly found: unknown;
  constructor(found: unknown) {
    super('undone');
    this.found = found;
  }
}

/** What was found in a transaction that was taken back. */
async function undone(work: () => Promise<unknown>): Promise<unknown> {
  const thrown = await work().catch((error: unknown) => error);
  if (thrown instanceof Undone) return thrown.found;
  throw thrown;
}
