import { insertAuditEntry, verifyAuditLog } from '@posthorn/db';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApp } from '../src/http/app.ts';
import { type AccessWorld, type DocumentedOperation, fillPath, startAccessWorld } from './access-world.ts';

let world: AccessWorld;
beforeAll(async () => {
  world = await startAccessWorld();
});
afterAll(() => world.api.close());

const OPERATOR = 'key_test_operator';

interface Entry {
  readonly seq: number;
  readonly actor: string;
  readonly action: string;
  readonly requestId: string | null;
}

const entriesAfter = async (seq: number): Promise<Entry[]> => [
  ...(await world.api.database.sql<Entry[]>`
    select seq, actor, action, request_id from audit_log where seq > ${seq} or seq is null order by seq`),
];
const lastSeq = async (): Promise<number> =>
  (await world.api.database.sql<{ seq: number }[]>`select seq from audit_head`)[0]!.seq;

/** They change nothing that is configured or recorded: they send events, or only look. */
const UNAUDITED = ['postEvent', 'postEventBatch', 'testFilter', 'testWebhook'];

test('every operation that changes something leaves an entry by its caller, and none that nobody told of', async () => {
  const { api, acme, operations } = world;
  const changes = operations.filter(({ method, needsKey }) => method !== 'GET' && needsKey);
  // What takes away comes after all that needs it; an import of what is there already changes nothing.
  const place = ({ id, method }: DocumentedOperation) =>
    id === 'importEventTypes' ? 0 : method === 'DELETE' ? 2 : 1;
  const ordered = changes.toSorted((a, b) => place(a) - place(b));
  const silent: string[] = [];
  const done: string[] = [];
  for (const operation of ordered) {
    const before = await lastSeq();
    const body = operation.body && { ...(operation.body.example as object) };
    for (const [name, value] of Object.entries({ tenant_id: 'acme', dry_run: false }))
      if (body && operation.body?.properties.includes(name)) Object.assign(body, { [name]: value });
    const { status } = await api.call(operation.method, fillPath(operation.path, acme), body ?? undefined, {
      headers: { 'if-match': '*' },
    });
    const left = await entriesAfter(before);
    if (left.some(({ actor }) => actor.startsWith('sql:')))
      silent.push(`${operation.id}: told by triggers alone`);
    if (status >= 300 || UNAUDITED.includes(operation.id)) continue;
    done.push(operation.id);
    const isTold = left.some(({ actor, requestId }) => actor === OPERATOR && requestId !== null);
    if (!isTold) silent.push(`${operation.id} (${status})`);
  }
  expect(silent).toEqual([]);
  expect(done.length).toBeGreaterThan(20);
  expect((await verifyAuditLog(api.database.sql)).faults).toEqual([]);
});

describe('the audit log', () => {
  const write = async (tenantId: string | null, action: string, over: object = {}) => {
    const actor = { keyId: OPERATOR, name: '=HYPERLINK("evil")', ip: '192.0.2.1', requestId: 'req_hidden' };
    await insertAuditEntry(world.api.database.sql, { actor, tenantId, action, subject: 's', ...over });
  };

  test('is shown the latest first, with filters and pages', async () => {
    const { api } = world;
    for (const action of ['thing.made', 'thing.kept', 'thing.lost', 'thingy.made'])
      await write('acme', action);
    const actions = async (query: string) => {
      const { body } = await api.call('GET', `/v1/audit-log?tenant_id=acme&${query}`);
      return [body.data.map(({ action }: Entry) => action), body.next, body.prev];
    };
    const [first, next] = await actions('action=thing.*&limit=2');
    expect(first).toEqual(['thing.lost', 'thing.kept']);
    const second = (await api.call('GET', next as string)).body;
    expect(second.data.map(({ action }: Entry) => action)).toEqual(['thing.made']);
    expect((await api.call('GET', second.prev)).body.data.map(({ action }: Entry) => action)).toEqual(first);
    expect((await actions('action=thing.made'))[0]).toEqual(['thing.made']);
    expect((await actions('actor=nobody'))[0]).toEqual([]);
    expect((await actions(`action=thing.*&max_created_at=${new Date(0).toISOString()}`))[0]).toEqual([]);
    expect((await actions(`action=thing.*&min_created_at=${new Date(0).toISOString()}`))[0]).toHaveLength(3);
  });

  test('is exported in the order of the chain, as NDJSON and as CSV without formulas', async () => {
    const { api } = world;
    await write(null, 'export.made');
    const ndjson = await api.call('GET', '/v1/audit-log/export?action=export.*');
    expect([ndjson.status, ndjson.headers['content-type']]).toEqual([200, 'application/x-ndjson']);
    expect(
      ndjson.text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).action),
    ).toEqual(['export.made']);
    const csv = await api.call('GET', '/v1/audit-log/export?action=export.*&format=csv');
    const [head, line] = csv.text.split('\r\n');
    expect(head).toContain('"actor_name"');
    expect(line).toContain(`"'=HYPERLINK(""evil"")"`);
    const all = await api.call('GET', '/v1/audit-log/export');
    const seqs = all.text
      .trim()
      .split('\n')
      .map((each) => JSON.parse(each).seq);
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, i) => i + 1));
  });

  test('is read for nobody who asks for the headers of an export alone', async () => {
    const { app, operatorKey } = world.api;
    const { statusCode, headers } = await app.inject({
      method: 'HEAD',
      url: '/v1/audit-log/export',
      headers: { authorization: `Bearer ${operatorKey}` },
    });
    expect([statusCode, headers.allow]).toEqual([405, 'GET']);
  });

  test('shows a tenant its own entries, and no operator’s name, address or request', async () => {
    const { api, otherKey: key } = world;
    await write('other', 'own.made');
    await write('acme', 'own.made');
    await write(null, 'own.made');
    const webhook = { tenant_id: 'other', url: 'https://mine.example/' };
    await api.call('POST', '/v1/webhooks', webhook, { key, headers: { 'x-actor': 'Zoe' } });
    for (const path of ['/v1/audit-log', '/v1/audit-log/export']) {
      const { text } = await api.call('GET', path, undefined, { key });
      expect(text).not.toMatch(/acme|192\.0\.2\.1|HYPERLINK|key_test_operator|req_hidden/);
    }
    const { data } = (await api.call('GET', '/v1/audit-log', undefined, { key })).body;
    expect(data[0]).toMatchObject({ action: 'endpoint.created', ip: '127.0.0.1', tenant_id: 'other' });
    expect(data.find(({ action }: Entry) => action === 'own.made')).toMatchObject({
      actor: 'operator',
      ip: null,
    });
  });

  test('shows its head, which an entry moves', async () => {
    const { api } = world;
    const before = (await api.call('GET', '/v1/audit-log/head')).body;
    await write(null, 'head.moved');
    const after = (await api.call('GET', '/v1/audit-log/head')).body;
    expect(after).toEqual({ seq: before.seq + 1, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect((await verifyAuditLog(api.database.sql, [before, after])).faults).toEqual([]);
  });
});

test('without its entry no change is made, and nothing is asked of Kafka', async () => {
  const { api, other, otherKey: key } = world;
  const { sql } = api.database;
  const { webhook_id, delivery_id, event_id } = other;
  const changes = [
    ['PATCH', '/v1/quotas/other', { max_webhooks: 9 }, undefined],
    ['PATCH', `/v1/webhooks/${webhook_id}`, { description: 'changed' }, key],
    ['POST', '/v1/webhooks', { tenant_id: 'other', url: 'https://new.example/' }, key],
    ['POST', '/v1/keys', { scopes: ['read'] }, key],
    ['DELETE', `/v1/keys/${other.key_id}`, undefined, key],
    ['POST', '/v1/portal-tokens/revoke', {}, key],
    ['POST', '/v1/dlq/retry', { tenant_id: 'other' }, key],
    ['POST', `/v1/dlq/${delivery_id}/retry`, undefined, key],
    ['DELETE', `/v1/dlq/${delivery_id}`, undefined, key],
    ['POST', `/v1/events/${event_id}/replay`, {}, key],
    ['POST', `/v1/tenants/other/cancel`, undefined, key],
  ] as const;
  const stored = () => sql`
    select md5(string_agg(t, '' order by t)) as hash, (select value from config_sequence) as sequence from (
      select q::text as t from quotas q union all select e::text from endpoints e union all select k::text from api_keys k
      union all select r::text from portal_revocations r union all select j::text from replay_jobs j
      union all select c::text from cancellations c union all select l::text from audit_log l) everything`;
  const before = await stored();
  const [sent, journaled] = [api.sent.items.length, api.journaled.items.length];
  await sql.unsafe(`create function fail() returns trigger language plpgsql as $$ begin raise 'no entry'; end $$;
    create trigger fail before insert on audit_log for each row when (not new.by_trigger) execute function fail()`);
  const statuses: number[] = [];
  for (const [method, path, body, of] of changes)
    statuses.push((await api.call(method, path, body, of === undefined ? {} : { key: of })).status);
  await sql.unsafe('drop function fail cascade');
  expect(statuses).toEqual(changes.map(() => 500));
  expect(await stored()).toEqual(before);
  expect([api.sent.items.length, api.journaled.items.length]).toEqual([sent, journaled]);
});

describe('the address of a client', () => {
  const addressFrom = async (remoteAddress: string, forwarded: string, trustedProxies: readonly string[]) => {
    const app = createApp({ ...world.api.parts, trustedProxies });
    const { statusCode } = await app.inject({
      method: 'PATCH',
      url: '/v1/quotas/other',
      payload: { max_webhooks: 7 },
      headers: { authorization: `Bearer ${world.api.operatorKey}`, 'x-forwarded-for': forwarded },
      remoteAddress,
    });
    await app.close();
    expect(statusCode).toBe(200);
    return (await world.api.call('GET', '/v1/audit-log?limit=1')).body.data[0].ip;
  };

  test.each([
    ['believed from nobody', '10.0.0.1', '203.0.113.9', [], '10.0.0.1'],
    ['believed from a proxy', '10.0.0.1', '203.0.113.9', ['10.0.0.0/8'], '203.0.113.9'],
    ['not believed beyond it', '10.0.0.1', '198.51.100.1, 203.0.113.9', ['10.0.0.0/8'], '203.0.113.9'],
    ['not believed from others', '192.0.2.1', '203.0.113.9', ['10.0.0.0/8'], '192.0.2.1'],
    ['no address, and not taken', '10.0.0.1', '=cmd()', ['10.0.0.0/8'], '10.0.0.1'],
    ['of IPv4 in IPv6', '::ffff:10.0.0.1', '', [], '10.0.0.1'],
  ])('in X-Forwarded-For is %s', async (_what, from, forwarded, trusted, shown) => {
    expect(await addressFrom(from, forwarded, trusted)).toBe(shown);
  });
});

describe('whom a request names', () => {
  const change = (actor: string | undefined) =>
    world.api.call(
      'PATCH',
      '/v1/quotas/other',
      { max_webhooks: 7 },
      {
        headers: { 'x-forwarded-for': '203.0.113.9', ...(actor === undefined ? {} : { 'x-actor': actor }) },
      },
    );

  test.each([
    ['plain text', 'support: Zoe', 'support: Zoe'],
    ['UTF-8 as it comes over the wire', Buffer.from('Zoë 🦄').toString('latin1'), 'Zoë 🦄'],
    ['nothing', ' ', null],
    ['no header', undefined, null],
  ])('is taken as %s, and the address is the connection’s', async (_what, sent, shown) => {
    expect((await change(sent)).status).toBe(200);
    const [entry] = (await world.api.call('GET', '/v1/audit-log?limit=1')).body.data;
    expect(entry).toMatchObject({
      action: 'quotas.updated',
      actor_name: shown,
      ip: '127.0.0.1',
      actor: OPERATOR,
    });
  });

  test.each([
    ['too long', 'x'.repeat(129)],
    ['with control characters', 'Zoe\u0085'],
    ['not UTF-8', '\u00ff\u00fe'],
  ])('is refused when it is %s, before anything is done', async (_what, sent) => {
    const before = await lastSeq();
    const { status, body } = await change(sent);
    expect([status, body.errors[0].pointer]).toEqual([400, 'X-Actor']);
    expect(await lastSeq()).toBe(before);
  });
});
