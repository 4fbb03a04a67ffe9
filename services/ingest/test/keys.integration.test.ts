import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKeys } from '../src/access/auth.ts';
import { FRESH_MS } from '../src/access/lookup-cache.ts';
import { isProblem } from '../src/http/problem.ts';
import { type ApiAnswer, startApi, type TestApi } from './api.ts';

let api: TestApi;
let acme: string;
let other: string;
beforeAll(async () => {
  api = await startApi();
  acme = (await api.createTenant('acme')).key;
  other = (await api.createTenant('other')).key;
});
afterAll(() => api.close());

const HOUR_MS = 3_600_000;
const inHours = (hours: number): string => new Date(Date.now() + hours * HOUR_MS).toISOString();

async function make(body: object, key = api.operatorKey): Promise<{ id: string; key: string }> {
  const { status, body: made } = await api.call('POST', '/v1/keys', body, { key });
  expect(status).toBe(201);
  return { id: made.key_id, key: made.key };
}
const outcome = ({ status, body }: ApiAnswer) => [status, body?.code];
const create = async (body: object, key: string) =>
  outcome(await api.call('POST', '/v1/keys', body, { key }));

describe('a key', () => {
  test('is made for a tenant with a name, scopes and an end, and shown with its secret once', async () => {
    const expires_at = inHours(1);
    const wish = { tenant_id: 'acme', name: 'orders', scopes: ['ingest'], expires_at };
    const made = await api.call('POST', '/v1/keys', wish);
    expect([made.status, made.body]).toEqual([
      201,
      {
        key_id: expect.stringMatching(/^key_/),
        key: expect.stringMatching(/^phk_tn_/),
        kind: 'tenant',
        tenant_id: 'acme',
        name: 'orders',
        scopes: ['ingest'],
        state: 'active',
        created_at: expect.any(String),
        expires_at,
        revoked_at: null,
      },
    ]);
    const { key, ...shown } = made.body;
    expect((await api.call('GET', `/v1/keys/${shown.key_id}`)).body).toEqual(shown);
    const event = { type: 'order.created', payload: {}, tenant_id: 'acme' };
    expect((await api.call('POST', '/v1/events', event, { key })).status).toBe(202);
    expect(outcome(await api.call('GET', '/v1/webhooks', undefined, { key }))).toEqual([403, 'forbidden']);
  });

  test('of a tenant makes keys of that tenant alone', async () => {
    const made = await make({ scopes: ['read'] }, acme);
    expect((await api.call('GET', `/v1/keys/${made.id}`)).body.tenant_id).toBe('acme');
    expect(await create({ scopes: ['read'], tenant_id: 'other' }, acme)).toEqual([404, 'tenant_not_found']);
    expect(await create({ scopes: ['read'], tenant_id: 'nobody' }, acme)).toEqual([404, 'tenant_not_found']);
  });

  test('gives no scope that it has not, by whatever way', async () => {
    const manages = await make({ tenant_id: 'acme', scopes: ['manage'] });
    expect(await create({ scopes: ['manage', 'read'] }, manages.key)).toEqual([201, undefined]);
    expect(await create({ scopes: ['ingest'] }, manages.key)).toEqual([403, 'forbidden']);
    expect(await create({ scopes: ['admin'] }, manages.key)).toEqual([400, 'invalid_request']);
    const operator = await make({ scopes: ['manage'] });
    expect(await create({ scopes: ['manage'] }, operator.key)).toEqual([403, 'forbidden']);
    expect(await create({ scopes: ['admin'] }, operator.key)).toEqual([403, 'forbidden']);
    expect(await create({ scopes: ['ingest'], tenant_id: 'acme' }, operator.key)).toEqual([403, 'forbidden']);
    expect(await create({ scopes: ['manage'], tenant_id: 'acme' }, operator.key)).toEqual([201, undefined]);
    for (const scope of ['read', 'ingest']) {
      const lesser = await make({ tenant_id: 'acme', scopes: [scope] });
      expect(await create({ scopes: [scope] }, lesser.key)).toEqual([403, 'forbidden']);
    }
  });

  test('gives no longer life than its own, to another or to itself', async () => {
    const ends = await make({ tenant_id: 'acme', scopes: ['manage'], expires_at: inHours(1) });
    expect(await create({ scopes: ['read'] }, ends.key)).toEqual([403, 'forbidden']);
    expect(await create({ scopes: ['read'], expires_at: inHours(2) }, ends.key)).toEqual([403, 'forbidden']);
    expect(await create({ scopes: ['read'], expires_at: inHours(0.5) }, ends.key)).toEqual([201, undefined]);
    for (const expires_at of [null, inHours(2)]) {
      const longer = await api.call('PATCH', `/v1/keys/${ends.id}`, { expires_at }, { key: ends.key });
      expect(outcome(longer)).toEqual([403, 'forbidden']);
    }
    const token = await api.call('POST', '/v1/portal-tokens', { ttl_seconds: 7_200 }, { key: ends.key });
    expect(outcome(token)).toEqual([403, 'forbidden']);
    const renamed = await api.call('PATCH', `/v1/keys/${ends.id}`, { name: 'ends' }, { key: ends.key });
    expect([renamed.status, renamed.body.name]).toEqual([200, 'ends']);
  });

  test('is not given an end that is past', async () => {
    expect(await create({ scopes: ['read'], expires_at: inHours(-1) }, acme)).toEqual([
      400,
      'invalid_request',
    ]);
  });

  test('of another tenant, or of an operator, is as absent as one that never was', async () => {
    const [own] = (await api.call('GET', '/v1/keys', undefined, { key: acme })).body.data;
    const operators = await make({ scopes: ['read'] });
    const manages = await make({ scopes: ['manage'] });
    for (const [id, key] of [
      [own.key_id, other],
      [operators.id, acme],
      [operators.id, manages.key],
      ['key_never', api.operatorKey],
      ["key_'--", api.operatorKey],
    ] as const) {
      const path = `/v1/keys/${encodeURIComponent(id)}`;
      expect(outcome(await api.call('GET', path, undefined, { key }))).toEqual([404, 'key_not_found']);
      expect(outcome(await api.call('PATCH', path, { name: 'x' }, { key }))).toEqual([404, 'key_not_found']);
      expect(outcome(await api.call('DELETE', path, undefined, { key }))).toEqual([404, 'key_not_found']);
    }
    const listed = (await api.call('GET', '/v1/keys', undefined, { key: manages.key })).body.data;
    expect(new Set(listed.map(({ kind }: { kind: string }) => kind))).toEqual(new Set(['tenant']));
  });

  test('is listed by pages, the newest first, of the caller’s own tenant', async () => {
    const made = [];
    for (let i = 0; i < 4; i++) made.push((await make({ scopes: ['read'] }, other)).id);
    const seen: string[] = [];
    let path: string | null = '/v1/keys?limit=2';
    let previous: string | null = null;
    while (path !== null) {
      const page: ApiAnswer = await api.call('GET', path, undefined, { key: other });
      seen.push(...page.body.data.map(({ key_id }: { key_id: string }) => key_id));
      previous = page.body.prev;
      path = page.body.next;
    }
    expect(seen.slice(0, 4)).toEqual(made.toReversed());
    expect(seen).toHaveLength(5);
    const before = await api.call('GET', previous!, undefined, { key: other });
    expect(before.body.data.map(({ key_id }: { key_id: string }) => key_id)).toEqual(seen.slice(2, 4));
    const foreign = await api.call('GET', previous!, undefined, { key: acme });
    expect(outcome(foreign)).toEqual([400, 'invalid_request']);
  });

  test('that is revoked is not good, and not changed any more', async () => {
    const { id } = await make({ scopes: ['read'] }, acme);
    expect((await api.call('DELETE', `/v1/keys/${id}`, undefined, { key: acme })).status).toBe(204);
    const shown = (await api.call('GET', `/v1/keys/${id}`, undefined, { key: acme })).body;
    expect([shown.state, shown.revoked_at]).toEqual(['revoked', expect.any(String)]);
    for (const method of ['PATCH', 'DELETE']) {
      const again = await api.call(method, `/v1/keys/${id}`, method === 'PATCH' ? { name: 'x' } : undefined);
      expect(outcome(again)).toEqual([404, 'key_not_found']);
    }
  });

  test('is one of a bounded number', async () => {
    const crowd = (await api.createTenant('crowd')).key;
    await api.database.sql`
      insert into api_keys (key_id, key_hash, kind, tenant_id)
      select 'key_crowd' || n, sha256(n::text::bytea), 'tenant', 'crowd' from generate_series(1, 99) n`;
    expect(await create({ scopes: ['read'] }, crowd)).toEqual([409, 'too_many_keys']);
  });
});

describe('what is revoked', () => {
  /** What a replica of ingest knows callers by; its clock alone is moved. */
  function startReplica() {
    const { portalTokens: tokens, store } = api.parts;
    let monotonicMs = 0;
    const keys = createKeys({
      findKey: (keyHash) => store.findApiKey(keyHash),
      findPortalGuard: (tenantId) => store.findPortalGuard(tenantId),
      tokens,
      isDatabaseUp: () => true,
      reportDatabaseDown: () => undefined,
      clock: { nowMs: () => Date.now(), monotonicMs: () => monotonicMs },
      maxKeys: 10,
      maxAgeMs: 60_000,
    });
    return {
      knows: async (key: string) => !isProblem(await keys.authenticate(`Bearer ${key}`)),
      advance: (ms: number) => {
        monotonicMs += ms;
      },
    };
  }

  test('stops within 5 s on every replica that has seen it, keys and tokens alike', async () => {
    const replicas = [startReplica(), startReplica()];
    const known = (key: string) => Promise.all(replicas.map((replica) => replica.knows(key)));
    const { id, key } = await make({ scopes: ['read'] }, acme);
    const issue = async () => (await api.call('POST', '/v1/portal-tokens', {}, { key: acme })).body.token;
    const token = await issue();
    const gone = await api.createTenant('gone');
    for (const each of [key, token, gone.key]) expect(await known(each)).toEqual([true, true]);
    await api.call('DELETE', `/v1/keys/${id}`, undefined, { key: acme });
    expect((await api.call('POST', '/v1/portal-tokens/revoke', {}, { key: acme })).status).toBe(200);
    expect((await api.call('DELETE', '/v1/tenants/gone')).status).toBeLessThan(300);
    for (const replica of replicas) replica.advance(FRESH_MS + 1);
    for (const each of [key, token, gone.key]) expect(await known(each)).toEqual([false, false]);
    expect(await known(await issue())).toEqual([true, true]);
  });
});

describe('the last admin key', () => {
  test('is neither revoked nor given an end, also when two take away each other’s', async () => {
    const admin = await make({ scopes: ['admin'] });
    const listed = (await api.call('GET', '/v1/keys?limit=1000')).body.data as {
      key_id: string;
      scopes: string[];
      state: string;
    }[];
    const first = listed.find(
      ({ key_id, scopes, state }) => scopes.includes('admin') && state === 'active' && key_id !== admin.id,
    )!;
    // Both are known by now, so that neither is looked for after the other has taken it away.
    await api.call('GET', `/v1/keys/${admin.id}`, undefined, { key: admin.key });
    const both = await Promise.all([
      api.call('DELETE', `/v1/keys/${first.key_id}`, undefined, { key: admin.key }),
      api.call('DELETE', `/v1/keys/${admin.id}`),
    ]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([204, 409]);
    const left = both[0]!.status === 204 ? admin : { id: first.key_id, key: api.operatorKey };
    for (const refused of [
      await api.call('DELETE', `/v1/keys/${left.id}`, undefined, { key: left.key }),
      await api.call('PATCH', `/v1/keys/${left.id}`, { expires_at: inHours(1) }, { key: left.key }),
    ])
      expect(outcome(refused)).toEqual([409, 'last_admin_key']);
    const ends = await make({ scopes: ['admin'], expires_at: inHours(1) }, left.key);
    const still = await api.call('DELETE', `/v1/keys/${left.id}`, undefined, { key: left.key });
    expect(outcome(still)).toEqual([409, 'last_admin_key']);
    expect((await api.call('DELETE', `/v1/keys/${ends.id}`, undefined, { key: left.key })).status).toBe(204);
  });
});
