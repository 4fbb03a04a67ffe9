import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { databaseUrl, securedInfra, startFaultProxy } from '@posthorn/testkit';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Database, type DatabaseOptions, type DatabaseTls, openDatabase } from '../src/index.ts';

const secured = securedInfra();
/** Postgres takes the first over TLS alone, the other by a client certificate of that name. */
const TLS_ONLY = 'tls_posthorn';
const PASSWORD = 'a,b=c%41 d/e@f:g?#';
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const trusted = (over: Partial<DatabaseTls> = {}): DatabaseTls => ({
  verify: true,
  ca: readFileSync(secured!.caFile, 'utf8'),
  ...over,
});

function open(url: URL, over: Partial<DatabaseOptions> = {}): Database {
  const database = openDatabase({ url: url.href, pool: 1, applicationName: 'secured', ...over });
  closing.push(() => database.close());
  return database;
}

async function urlOf(role?: string, password?: string): Promise<URL> {
  const url = new URL(await databaseUrl());
  if (role !== undefined) url.username = role;
  if (password !== undefined) url.password = encodeURIComponent(password);
  return url;
}

const protocolOf = async ({ sql }: Database) =>
  (await sql`select ssl, version, client_dn as name from pg_stat_ssl where pid = pg_backend_pid()`)[0];

describe.skipIf(secured === undefined)('over TLS', () => {
  beforeAll(async () => {
    const { sql, close } = openDatabase({ url: await databaseUrl(), pool: 1, applicationName: 'roles' });
    await sql.unsafe(`create role ${TLS_ONLY} login password '${PASSWORD}'`).catch(() => {});
    await sql.unsafe(`create role ${secured!.certificateName} login`).catch(() => {});
    await close();
  });

  test.each(['127.0.0.1', 'localhost'])('a server is trusted by its certificate for %s', async (host) => {
    const url = await urlOf();
    url.hostname = host;
    expect(await protocolOf(open(url, { tls: trusted() }))).toMatchObject({ ssl: true, version: 'TLSv1.3' });
  });

  test('a role is known by its password, whatever is in it, and not in plain text', async () => {
    const url = await urlOf(TLS_ONLY, PASSWORD);
    expect(await protocolOf(open(url, { tls: trusted() }))).toMatchObject({ ssl: true });
    await expect(open(url, { tls: null }).sql`select 1`).rejects.toThrow('pg_hba.conf rejects');
  });

  test('a role is known by its certificate', async () => {
    const url = await urlOf(secured!.certificateName, '');
    const own = {
      cert: readFileSync(secured!.certFile, 'utf8'),
      key: readFileSync(secured!.keyFile, 'utf8'),
    };
    expect(await protocolOf(open(url, { tls: trusted(own) }))).toMatchObject({
      name: `/CN=${secured!.certificateName}`,
    });
    await expect(open(url, { tls: trusted() }).sql`select 1`).rejects.toMatchObject({ code: '28000' });
  });

  test('where no certificate is wanted any is taken', async () => {
    expect(await protocolOf(open(await urlOf(), { tls: { verify: false } }))).toMatchObject({ ssl: true });
  });

  test('several hosts are tried, by their names', async () => {
    const { port, username, password, pathname } = await urlOf();
    const hosts = `localhost:1,localhost:${port}`;
    const url = `postgres://${username}:${password}@${hosts}${pathname}`;
    const database = openDatabase({ url, pool: 1, applicationName: 'secured', tls: trusted() });
    closing.push(() => database.close());
    expect(await protocolOf(database)).toMatchObject({ ssl: true });
    const addresses = url.replace('localhost:1', '127.0.0.1:1');
    expect(() =>
      openDatabase({ url: addresses, pool: 1, applicationName: 'secured', tls: trusted() }),
    ).toThrow('needs their names');
  });

  test('a connection that went silent fails in time, and the next one has another', async () => {
    const url = await urlOf();
    const proxy = await startFaultProxy({ targetPort: Number(url.port) });
    closing.push(() => proxy.close());
    url.port = String(proxy.port);
    const { sql } = open(url, { tls: trusted(), silenceTimeoutMs: 2_000 });
    await sql`select 1`;
    proxy.silence();
    await expect(sql`select 1`).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
    proxy.heal();
    expect((await sql`select 42 as answer`)[0]!.answer).toBe(42);
  });

  test('a lost connection is made anew', async () => {
    const url = await urlOf();
    const proxy = await startFaultProxy({ targetPort: Number(url.port) });
    closing.push(() => proxy.close());
    url.port = String(proxy.port);
    const { sql } = open(url, { tls: trusted() });
    await sql`select 1`;
    proxy.cut();
    await expect(sql`select 1`).rejects.toThrow();
    await expect(sql`select 1`).rejects.toThrow();
    proxy.heal();
    expect(await protocolOf({ sql } as Database)).toMatchObject({ ssl: true });
  });
});

async function listen(onClient: (client: Socket) => void): Promise<URL> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client.on('error', () => undefined));
    onClient(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    for (const client of clients) client.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return new URL(`postgres://posthorn:x@127.0.0.1:${(server.address() as AddressInfo).port}/posthorn`);
}

describe('a server that is asked for TLS', () => {
  test('and says nothing is given up in time, as often as it is asked', async () => {
    const url = await listen(() => {});
    const { sql } = open(url, { tls: { verify: true }, connectTimeoutMs: 50 });
    for (let time = 0; time < 3; time++)
      await expect(sql`select 1`).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' });
  });

  test('and hangs up is refused', async () => {
    const { sql } = open(await listen((client) => void client.resume().end()), { tls: { verify: true } });
    await expect(sql`select 1`).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  });

  test('is let go when the pool is closed meanwhile', async () => {
    const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
    const { promise: left, resolve: onLeft } = Promise.withResolvers<void>();
    const url = await listen((client) => {
      client.once('data', () => onAsked());
      client.once('close', () => onLeft());
    });
    const database = open(url, { tls: { verify: true }, connectTimeoutMs: 60_000 });
    const lost = expect(database.sql`select 1`).rejects.toThrow();
    await asked;
    await database.close(0);
    await Promise.all([left, lost]);
  });
});
