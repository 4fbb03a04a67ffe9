import { randomBytes } from 'node:crypto';
import { EVERY_TENANT, openDatabase, type PoolSql } from '@posthorn/db';
import { systemClock } from '@posthorn/runtime';
import { emptyDatabaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runSetUp } from '../src/run-set-up.ts';

const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

interface Installation {
  readonly url: string;
  readonly prefix: string;
  /** As somebody who may do everything on the server. */
  readonly admin: PoolSql;
  setUp(environment?: Record<string, string>): Promise<string[]>;
}

/** A database that belongs to a login as a hosted Postgres would give it: no superuser. */
async function install(attributes: string): Promise<Installation> {
  const url = new URL(await emptyDatabaseUrl());
  const admin = openDatabase({ url: url.href, pool: 1, applicationName: 'test' });
  const name = `t${randomBytes(4).toString('hex')}`;
  const prefix = `${name}_`;
  const database = url.pathname.slice(1);
  await admin.sql.unsafe(`
    create role ${name} login password 'x' nosuperuser ${attributes};
    alter database ${database} owner to ${name};`);
  closing.push(async () => {
    const roles =
      await admin.sql`select rolname from pg_roles where starts_with(rolname, ${name}) order by 1 desc`;
    await admin.sql.unsafe(`alter database ${database} owner to current_user`);
    for (const { rolname } of roles)
      await admin.sql.unsafe(`drop owned by ${rolname} cascade; drop role ${rolname}`);
    await admin.close();
  });
  url.username = name;
  url.password = 'x';
  return {
    url: url.href,
    prefix,
    admin: admin.sql,
    async setUp(environment = {}) {
      const lines: string[] = [];
      const env = { DATABASE_URL: url.href, DATABASE_ROLE_PREFIX: prefix, ...environment };
      const terminal = {
        say: (line: string) => lines.push(line),
        complain: (line: string) => lines.push(line),
      };
      expect([await runSetUp(['migrate'], env, systemClock, terminal), lines]).toEqual([0, lines]);
      return lines.filter((line) => /database role/.test(line));
    },
  };
}

async function open(url: string, role?: string): Promise<PoolSql> {
  const database = openDatabase({ url, pool: 1, applicationName: 'test', role, tenant: EVERY_TENANT });
  closing.push(() => database.close());
  return database.sql;
}

const ROLES = ['ingest', 'dispatcher', 'worker', 'recorder'];

describe('a login that may create roles', () => {
  let installed: Installation;
  const role = (name: string): string => `${installed.prefix}${name}`;
  beforeAll(async () => {
    installed = await install('createrole');
  });

  test('makes those of its own installation, and its services take them on', async () => {
    const { url, setUp } = installed;
    expect(await setUp()).toEqual([
      ...ROLES.map((name) => `database role ${role(name)} created`),
      expect.stringMatching(/^rights of database roles set/),
    ]);
    expect(await setUp()).toEqual(['rights of database roles are set']);
    const worker = await open(url, role('worker'));
    expect((await worker`select 1 from tenants`).count).toBe(1);
    await expect(worker`select 1 from api_keys`).rejects.toThrow('permission denied');
  });

  test('may leave them to logins of the services’ own, who have no way back to more', async () => {
    await installed.admin.unsafe(
      `create role ${role('zz_recorder')} login password 'y' in role ${role('recorder')}`,
    );
    const own = new URL(installed.url);
    own.username = role('zz_recorder');
    own.password = 'y';
    const recorder = await open(own.href);
    expect((await recorder`select 1 from tenants`).count).toBe(1);
    await expect(recorder`select 1 from api_keys`).rejects.toThrow('permission denied');
    await expect(recorder.unsafe(`set role ${role('ingest')}`)).rejects.toThrow('permission denied');
  });
});

test('one that may not says which are missing; made by somebody else, they are given their rights; switched off, they are left as they are', async () => {
  const { prefix, setUp, admin } = await install('nocreaterole');
  const names = ROLES.map((role) => `${prefix}${role}`);
  expect(await setUp({ DATABASE_ROLE_PREFIX: 'off' })).toEqual(['database roles are left as they are']);
  expect(await setUp()).toEqual([expect.stringContaining(`may not create them: ${names.join(', ')}`)]);
  await admin.unsafe(names.map((name) => `create role ${name}`).join(';'));
  expect(await setUp()).toEqual([expect.stringMatching(/^rights of database roles set/)]);
});
