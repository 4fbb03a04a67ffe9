import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { databaseUrl, startFaultProxy } from '@posthorn/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { type Database, inTransaction, isDataError, openDatabase } from '../src/index.ts';

/**
 * What the driver does when it loses a connection: some of it by `patches/postgres@3.4.9.patch`, without which these
 * tests hang, crash the process or find rows of one query in the answer to another.
 */
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(
  port: number,
  over: { silenceTimeoutMs?: number; pool?: number } = {},
): Promise<Database> {
  const url = new URL(await databaseUrl());
  url.port = String(port);
  const database = openDatabase({ url: url.href, pool: 1, applicationName: 'test', ...over });
  closing.push(() => database.close());
  return database;
}

async function setup(over: { silenceTimeoutMs?: number; pool?: number } = {}) {
  const proxy = await startFaultProxy({ targetPort: Number(new URL(await databaseUrl()).port) });
  closing.push(() => proxy.close());
  const database = await open(proxy.port, over);
  await database.sql`select 1`;
  return { proxy, database };
}

async function listen(onClient: (client: Socket) => void): Promise<number> {
  const server: Server = createServer((client) => onClient(client.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

const answer = async (database: Database) => (await database.sql`select 42 as answer`)[0]!.answer;

describe('a query', () => {
  test('sent the moment another was refused by a reset is refused as well, and the next one is answered', async () => {
    const { proxy, database } = await setup();
    proxy.cut();
    await expect(database.sql`select 1`).rejects.toThrow();
    const late = await database.sql`select 1`.catch((error: unknown) => error);
    expect(late).toMatchObject({ code: 'CONNECTION_CLOSED' });
    expect(isDataError(late)).toBe(false);
    proxy.heal();
    expect(await answer(database)).toBe(42);
  });

  test('on a connection that went silent fails in time, and the next one has another connection', async () => {
    const { proxy, database } = await setup({ silenceTimeoutMs: 300 });
    proxy.silence();
    await expect(database.sql`select 1`).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
    proxy.heal();
    expect(await answer(database)).toBe(42);
  });

  test('to a server that hangs up at once is refused instead of being tried without end', async () => {
    const database = await open(await listen((client) => client.resume().end()));
    await expect(database.sql`select 1`).rejects.toThrow();
  });

  test('whose connection is lost while it is being set up is refused, and nothing else breaks', async () => {
    const target = Number(new URL(await databaseUrl()).port);
    const readyForQuery = Buffer.from('Z\0\0\0\x05I', 'latin1');
    let resets = 0;
    const port = await listen((client) => {
      const server = connect(target).on('error', () => undefined);
      let ready = false;
      server.on('data', (data) => {
        ready ||= data.includes(readyForQuery);
        client.write(data);
      });
      client.on('data', (data) => {
        if (!ready || resets > 0) return void server.write(data);
        resets++;
        server.destroy();
        client.resetAndDestroy();
      });
      client.on('close', () => server.destroy());
    });
    const database = await open(port);
    await expect(database.sql`select 1`).rejects.toThrow();
    expect(resets).toBe(1);
    expect(await answer(database)).toBe(42);
  });
});

describe('a transaction', () => {
  test.each(['cut', 'terminated'] as const)(
    'whose connection is %s is refused, and the next one is whole',
    async (how) => {
      const { proxy, database } = await setup();
      const killer = openDatabase({ url: await databaseUrl(), pool: 1, applicationName: 'killer' });
      closing.push(() => killer.close());
      const lost = inTransaction(database.sql, async (transaction) => {
        const [row] = await transaction`select pg_backend_pid() as pid`;
        const slow = transaction`select pg_sleep(10)`;
        void slow.execute();
        if (how === 'cut') proxy.cut();
        else await killer.sql`select pg_terminate_backend(${row!.pid})`;
        await slow;
      });
      await expect(lost).rejects.toThrow();
      proxy.heal();
      const rows = await inTransaction(database.sql, (transaction) =>
        Promise.all([transaction`select 1 as n`, transaction`select 2 as n`]),
      );
      expect(rows.map(([row]) => row!.n)).toEqual([1, 2]);
      expect(await answer(database)).toBe(42);
    },
  );

  test('that lost its connection does not go on inside the one that has it next', async () => {
    const { proxy, database } = await setup();
    const { promise: reconnected, resolve: goOn } = Promise.withResolvers<void>();
    const { promise: lateStatement, resolve: said } = Promise.withResolvers<unknown>();
    const lost = inTransaction(database.sql, async (transaction) => {
      proxy.cut();
      await reconnected;
      said(await transaction`update config_sequence set value = 99`.catch((error: unknown) => error));
    });
    await expect(lost).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
    proxy.heal();
    const value = await inTransaction(database.sql, async (transaction) => {
      goOn();
      await lateStatement;
      return (await transaction`select value from config_sequence`)[0]!.value;
    });
    expect(await lateStatement).toMatchObject({ code: 'CONNECTION_CLOSED' });
    expect(value).not.toBe(99);
  });

  test('inside another is undone by itself', async () => {
    const { database } = await setup();
    const sequence = await inTransaction(database.sql, async (outer) => {
      await outer`update config_sequence set value = 41`;
      await inTransaction(outer, async (inner) => {
        await inner`update config_sequence set value = 99`;
        throw new Error('undo');
      }).catch(() => undefined);
      return (await outer`select value from config_sequence`)[0]!.value;
    });
    expect(sequence).toBe(41);
  });
});

test('whatever happens to connections, no answer goes to another question', async () => {
  const { proxy, database } = await setup({ pool: 3 });
  let answered = 0;
  const ask = async (client: number): Promise<void> => {
    for (let turn = 0; turn < 60; turn++) {
      const n = client * 1_000 + turn;
      if (turn === 20 * client) proxy.cut();
      try {
        if (turn % 2) expect((await database.sql`select ${n}::int as n`)[0]!.n).toBe(n);
        else
          await inTransaction(database.sql, async (transaction) => {
            const rows = await Promise.all([0, 1].map((i) => transaction`select ${n + i}::int as n`));
            expect(rows.map(([row]) => row!.n)).toEqual([n, n + 1]);
          });
        answered++;
      } catch (error) {
        if ((error as { code?: string }).code === undefined) throw error;
        proxy.heal();
      }
    }
  };
  await Promise.all([0, 1, 2].map(ask));
  expect(answered).toBeGreaterThan(100);
});

test('closing does not wait for a query whose connection is gone', async () => {
  const { proxy, database } = await setup();
  proxy.cut();
  await expect(database.sql`select 1`).rejects.toThrow();
  const startedMs = performance.now();
  await database.close(10_000);
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});
