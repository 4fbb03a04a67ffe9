import { hashKey } from '@posthorn/contracts';
import { type Database, findApiKey, insertAuditEntry, openDatabase, processActor } from '@posthorn/db';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand } from '../src/run-command.ts';

let url: string;
let database: Database;
beforeAll(async () => {
  url = await databaseUrl();
  database = openDatabase({ url, pool: 1, applicationName: 'test' });
});
afterAll(() => database.close());

async function posthorn(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(args, {
    environment: { DATABASE_URL: url },
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    user: 'zoe',
    terminal: {
      print: async (text) => void out.push(text),
      tell: (line) => void err.push(line),
    },
  });
  return { code, out: out.join(''), err: err.join('\n') };
}

test('an operator key is made, printed once and audited; only its hash is kept', async () => {
  const { code, out, err } = await posthorn('keys', 'create-operator', '--name', 'first');
  expect(code).toBe(0);
  const key = out.trim();
  expect(key).toMatch(/^phk_op_[\w-]{43}$/);
  expect(err).not.toContain(key);
  const found = await findApiKey(database.sql, hashKey(key));
  expect(found).toMatchObject({ kind: 'operator', scopes: ['admin'], expiresAt: null });
  const [row] =
    await database.sql`select actor, actor_name, action, after from audit_log where subject = ${found!.keyId}`;
  expect(row).toEqual({
    actor: 'cli',
    actorName: 'zoe',
    action: 'key.created',
    after: { kind: 'operator', name: 'first', scopes: ['admin'], expires_at: null },
  });
  const [stored] = await database.sql<{ text: string }[]>`
    select string_agg(k::text, ' ') || (select string_agg(a::text, ' ') from audit_log a) as text from api_keys k`;
  expect(stored!.text).not.toContain(key.slice('phk_op_'.length));
});

test('the audit log is exported, verified, and held to a pinned head', async () => {
  const entry = { actor: processActor('test'), tenantId: null, subject: 's' };
  for (const action of ['thing.made', 'thing.kept'])
    await insertAuditEntry(database.sql, { ...entry, action });
  const exported = (await posthorn('audit', 'export', '--action', 'thing.*')).out.trim().split('\n');
  expect(exported.map((line) => JSON.parse(line).action)).toEqual(['thing.made', 'thing.kept']);
  expect((await posthorn('audit', 'export', '--format', 'csv')).out.split('\r\n')[0]).toContain(
    '"actor_name"',
  );
  const pin = (await posthorn('audit', 'head')).out.trim();
  expect(await posthorn('audit', 'verify', '--pin', pin)).toMatchObject({ code: 0, out: `${pin}\n` });
  await database.sql.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`update audit_log set actor = 'somebody' where action = 'thing.made'`;
  });
  const found = await posthorn('audit', 'verify', '--pin', pin);
  expect([found.code, found.out]).toEqual([1, '']);
  expect(found.err).toMatch(/entry \d+ was edited/);
});

test('what is not understood, and a database that is away, end the command with a line', async () => {
  expect(await posthorn('keys', 'destroy')).toMatchObject({
    code: 2,
    err: '"keys destroy" is no command; see --help',
  });
  expect((await posthorn('--help')).out).toContain('keys create-operator');
  const away = url;
  url = 'postgres://nobody@127.0.0.1:1/none';
  const { code, err } = await posthorn('audit', 'head');
  url = away;
  expect([code, err]).toEqual([1, expect.stringMatching(/^audit head failed: .+/)]);
});
