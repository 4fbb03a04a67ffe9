import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type AccessWorld,
  CANARIES,
  type DocumentedOperation,
  fillPath,
  forgePortalToken,
  type Objects,
  type Role,
  startAccessWorld,
} from './access-world.ts';
import type { ApiAnswer } from './api.ts';

let world: AccessWorld;
let guarded: readonly DocumentedOperation[];
beforeAll(async () => {
  world = await startAccessWorld();
  guarded = world.operations.filter(({ needsKey }) => needsKey);
});
afterAll(() => world.api.close());

/** No operation has a field of that name: what a caller may call is answered 400 or 404, and nothing is changed. */
const UNFIT = { no_such_field: true };

const ask = (operation: DocumentedOperation, objects: Objects, key: string | null, body?: unknown) =>
  world.api.call(
    operation.method,
    fillPath(operation.path, objects),
    operation.body === null ? undefined : (body ?? UNFIT),
    { key, headers: operation.parameters.some(({ name }) => name === 'if-match') ? { 'if-match': '*' } : {} },
  );

/** Of all operations, what `fails` says of each; in one list, so that all of them are seen at once. */
async function failuresOf(
  operations: readonly DocumentedOperation[],
  fails: (operation: DocumentedOperation) => Promise<string | null>,
): Promise<string[]> {
  const failures: string[] = [];
  for (const operation of operations) {
    const failure = await fails(operation);
    if (failure !== null) failures.push(`${operation.id}: ${failure}`);
  }
  return failures;
}

/** All but what differs from request to request, and the id that was asked for. */
const faceOf = ({ status, text }: ApiAnswer, objects: Objects): string => {
  let face = text.replace(/"request_id":"[^"]+"/, '');
  // The longest first: an event's id begins those of its deliveries.
  const named = Object.entries(objects).toSorted(([, a], [, b]) => b.length - a.length);
  for (const [name, id] of named) face = face.replaceAll(id, `{${name}}`);
  return `${status} ${face}`;
};

describe('every operation of the document', () => {
  test('refuses who has no key, or one that is not good', async () => {
    const { api, keys } = world;
    const make = async (body: object) => (await api.call('POST', '/v1/keys', body)).body;
    const [expired, revoked] = [await make({ scopes: ['admin'] }), await make({ scopes: ['admin'] })];
    await api.database.sql`update api_keys set expires_at = now() where key_id = ${expired.key_id}`;
    await api.call('DELETE', `/v1/keys/${revoked.key_id}`);
    const [header, payload, signature] = keys['portal manage'].split('.') as [string, string, string];
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    const bad: Record<string, string | null> = {
      'no key': null,
      'a malformed key': 'phk',
      'an unknown key': 'phk_op_0123456789012345678901234567890123456789012',
      'an expired key': expired.key,
      'a revoked key': revoked.key,
      'a key of another case': keys['operator admin'].toUpperCase(),
      'a token without signature': `${none}.${payload}.`,
      'a token with another payload': `${header}.${payload.slice(0, -2)}AA.${signature}`,
      'a token of another installation': await forgePortalToken(Date.now()),
    };
    expect(
      await failuresOf(guarded, async (operation) => {
        for (const [what, key] of Object.entries(bad)) {
          const { status, body, headers } = await ask(operation, world.other, key);
          const isRefused =
            status === 401 && body.code === 'unauthenticated' && 'www-authenticate' in headers;
          if (!isRefused) return `${what} was answered ${status}`;
        }
        return null;
      }),
    ).toEqual([]);
    expect(guarded.length).toBeGreaterThan(50);
  });

  test('is for the kinds of callers and the scope that it declares, and for no other', async () => {
    const included: Record<string, readonly string[]> = {
      admin: ['admin', 'manage', 'read', 'ingest'],
      manage: ['manage', 'read'],
      read: ['read'],
      ingest: ['ingest'],
    };
    const answers = { granted: 0, refused: 0 };
    expect(
      await failuresOf(guarded, async (operation) => {
        for (const [role, key] of Object.entries(world.keys)) {
          const [kind, scope] = role.split(' ') as [string, string];
          const may = operation.callers.includes(kind) && included[scope]!.includes(operation.scope);
          const { status, body, text } = await ask(operation, world.never, key);
          const isForbidden = status === 403 && body.code === 'forbidden';
          if (isForbidden === may || status === 401 || status >= 500)
            return `${role} was answered ${status} ${text}`;
          answers[may ? 'granted' : 'refused'] += 1;
        }
        return null;
      }),
    ).toEqual([]);
    expect(Math.min(answers.granted, answers.refused)).toBeGreaterThan(100);
  });

  test('that names an object answers for another tenant’s as for one that never was', async () => {
    const ofObjects = guarded.filter(
      ({ path, callers }) =>
        callers.includes('tenant') &&
        [...path.matchAll(/\{([a-z_]+)\}/g)].some(([, name]) => name! in world.acme),
    );
    const { api, acme, never, otherKey, otherPortal } = world;
    const stored = () => api.database.sql<{ hash: string }[]>`
      select md5(string_agg(md5(t), '' order by t)) as hash from (
        select e::text as t from endpoints e where tenant_id = 'acme'
        union all select j::text from replay_jobs j where tenant_id = 'acme'
        union all select k::text from api_keys k where tenant_id = 'acme'
        union all select c::text from cancellations c where tenant_id = 'acme'
        union all select l::text from audit_log l where tenant_id = 'acme') all_of_acme`;
    const before = await stored();
    const [sent, journaled] = [api.sent.items.length, api.journaled.items.length];
    expect(
      await failuresOf(ofObjects, async (operation) => {
        const body = exampleFor(operation, 'other');
        for (const key of operation.callers.includes('portal') ? [otherKey, otherPortal] : [otherKey]) {
          const foreign = faceOf(await ask(operation, acme, key, body), acme);
          const absent = faceOf(await ask(operation, never, key, body), never);
          if (foreign !== absent || !foreign.startsWith('404')) return `${foreign} is not ${absent}`;
        }
        return null;
      }),
    ).toEqual([]);
    expect(await stored()).toEqual(before);
    expect([api.sent.items.length, api.journaled.items.length]).toEqual([sent, journaled]);
    expect(ofObjects.length).toBeGreaterThan(20);
  });

  test('that shows an object shows it to its own tenant', async () => {
    const reads = guarded.filter(({ method, path }) => method === 'GET' && path.includes('{'));
    const ofTenants = reads.filter(
      ({ path, callers }) =>
        callers.includes('tenant') &&
        [...path.matchAll(/\{([a-z_]+)\}/g)].every(([, name]) => name! in world.acme),
    );
    expect(
      await failuresOf(ofTenants, async (operation) => {
        const { status, text } = await ask(operation, world.acme, world.acmeKey);
        return status === 200 ? null : `${status} ${text}`;
      }),
    ).toEqual([]);
    expect(ofTenants.length).toBeGreaterThan(7);
  });

  test('that takes a tenant’s id answers for another tenant as for one that never was', async () => {
    const named = guarded.filter(
      ({ callers, parameters, body }) =>
        callers.includes('tenant') &&
        (body?.properties.includes('tenant_id') ||
          parameters.some(({ name, in: at }) => at === 'query' && name === 'tenant_id')),
    );
    const { api, never, otherKey, otherPortal } = world;
    const sent = api.sent.items.length;
    expect(
      await failuresOf(named, async (operation) => {
        const inQuery = operation.parameters.some(({ name }) => name === 'tenant_id');
        const askAbout = (tenantId: string, key: string) =>
          inQuery
            ? api.call(operation.method, `${operation.path}?tenant_id=${tenantId}`, undefined, { key })
            : ask(operation, never, key, exampleFor(operation, tenantId));
        for (const key of operation.callers.includes('portal') ? [otherKey, otherPortal] : [otherKey]) {
          const foreign = faceOf(await askAbout('acme', key), { tenant_id: 'acme' });
          const absent = faceOf(await askAbout('nobody', key), { tenant_id: 'nobody' });
          if (foreign !== absent || !foreign.startsWith('404')) return `${foreign} is not ${absent}`;
        }
        return null;
      }),
    ).toEqual([]);
    expect(api.sent.items).toHaveLength(sent);
    expect(named.length).toBeGreaterThan(10);
  });

  test('that pages refuses another tenant’s cursor', async () => {
    const pages = guarded.filter(
      ({ method, callers, parameters }) =>
        method === 'GET' && callers.includes('tenant') && parameters.some(({ name }) => name === 'cursor'),
    );
    const { api, acmeKey, otherKey } = world;
    let cursors = 0;
    expect(
      await failuresOf(pages, async ({ path }) => {
        const page = await api.call('GET', `${path}?limit=1`, undefined, { key: acmeKey });
        if (page.body.next === null) return null;
        // The catalogue is one for all tenants.
        if (path.startsWith('/v1/event-types')) return null;
        cursors += 1;
        const { status, body } = await api.call('GET', page.body.next, undefined, { key: otherKey });
        return status === 400 && body.code === 'invalid_request' ? null : `was answered ${status}`;
      }),
    ).toEqual([]);
    expect(cursors).toBeGreaterThan(4);
  });

  test('shows no secret to any role', async () => {
    const reads = guarded.filter(({ method, path }) => method === 'GET' && !path.endsWith('/head'));
    const { acmeKey, keys } = world;
    const readers = [acmeKey, keys['operator admin'], keys['operator read']];
    let shown = 0;
    expect(
      await failuresOf(reads, async (operation) => {
        for (const key of readers) {
          const { status, text } = await ask(operation, world.acme, key);
          if (status === 200) shown += 1;
          const leaked = CANARIES.find((canary) => text.includes(canary));
          if (leaked !== undefined) return `shows ${leaked}`;
        }
        return null;
      }),
    ).toEqual([]);
    expect(shown).toBeGreaterThan(40);
  });
});

/** The document's own example, in the name of a tenant where it names one. */
function exampleFor({ body }: DocumentedOperation, tenantId: string): unknown {
  if (body === null) return undefined;
  const example = (body.example ?? {}) as Record<string, unknown>;
  return body.properties.includes('tenant_id') ? { ...example, tenant_id: tenantId } : example;
}

describe('ids within a request', () => {
  const same = async (
    method: string,
    path: (id: string) => string,
    body: (id: string) => unknown,
    name: string,
  ) => {
    const { api, acme, never, otherKey: key } = world;
    const [foreign, absent] = [acme[name]!, never[name]!];
    const answers = [
      faceOf(await api.call(method, path(foreign), body(foreign), { key }), { [name]: foreign }),
      faceOf(await api.call(method, path(absent), body(absent), { key }), { [name]: absent }),
    ];
    return answers as [string, string];
  };

  test.each([
    ['webhook_id', (id: string) => `/v1/dlq?webhook_id=${id}`],
    ['webhook_id', (id: string) => `/v1/deliveries?webhook_id=${id}`],
    ['event_id', (id: string) => `/v1/deliveries?event_id=${id}`],
    ['delivery_id', (id: string) => `/v1/attempts?delivery_id=${id}`],
    ['event_id', (id: string) => `/v1/attempts?event_id=${id}`],
    ['webhook_id', (id: string) => `/v1/events?webhook_id=${id}`],
    ['webhook_id', (id: string) => `/v1/metrics/deliveries?webhook_id=${id}`],
    ['key_id', (id: string) => `/v1/audit-log?actor=${id}`],
    ['webhook_id', (id: string) => `/v1/audit-log?subject=${id}`],
  ])('%s of another tenant in a filter finds what one that never was finds', async (name, path) => {
    const [foreign, absent] = await same('GET', path, () => undefined, name);
    expect(foreign.replace(/"(from|to)":"[^"]+"/g, '')).toBe(absent.replace(/"(from|to)":"[^"]+"/g, ''));
    expect(foreign).not.toContain('apollo');
  });

  test('of another tenant are no part of a job, a replay or a token', async () => {
    const { other } = world;
    const cases = [
      ['webhook_id', '/v1/dlq/retry', (webhook_id: string) => ({ webhook_id, dry_run: true })],
      ['delivery_id', '/v1/dlq/retry', (id: string) => ({ delivery_ids: [id], dry_run: true })],
      ['webhook_id', `/v1/events/${other.event_id}/replay`, (id: string) => ({ webhook_ids: [id] })],
    ] as const;
    for (const [name, path, body] of cases) {
      const [foreign, absent] = await same('POST', () => path, body, name);
      expect(foreign).toBe(absent);
      expect(foreign).not.toContain(world.acme[name]);
    }
  });
});

describe('a portal token', () => {
  const issue = async (body: object) =>
    (await world.api.call('POST', '/v1/portal-tokens', { tenant_id: 'acme', ...body })).body.token as string;

  test('that is narrowed sees only what belongs to webhooks with its labels', async () => {
    const { api, acme } = world;
    const key = await issue({ scopes: ['read', 'manage'], labels: { project: 'gemini' } });
    const webhooks = (await api.call('GET', '/v1/webhooks', undefined, { key })).body.data;
    expect(webhooks.map(({ labels }: { labels: object }) => labels)).toEqual([{ project: 'gemini' }]);
    const ofObjects = guarded.filter(
      ({ path, callers }) => callers.includes('portal') && /\{(webhook|delivery|attempt)_id\}/.test(path),
    );
    expect(
      await failuresOf(ofObjects, async (operation) => {
        const body = exampleFor(operation, 'acme');
        const hidden = faceOf(await ask(operation, acme, key, body), acme);
        const absent = faceOf(await ask(operation, world.never, key, body), world.never);
        return hidden === absent && hidden.startsWith('404') ? null : `${hidden} is not ${absent}`;
      }),
    ).toEqual([]);
    for (const path of ['/v1/deliveries', '/v1/attempts', '/v1/dlq']) {
      const { status, text } = await api.call('GET', path, undefined, { key });
      expect([path, status]).toEqual([path, 200]);
      expect(text).not.toContain(acme.webhook_id);
    }
    const outside = { tenant_id: 'acme', url: 'https://a.example/', labels: { project: 'apollo' } };
    expect((await api.call('POST', '/v1/webhooks', outside, { key })).status).toBeGreaterThanOrEqual(400);
  });

  test('acts in the name of the person it was made for, whatever its browser says', async () => {
    const { api } = world;
    const key = await issue({ scopes: ['manage'], user: 'Zoë' });
    const webhook = { tenant_id: 'acme', url: 'https://zoe.example/' };
    const headers = { 'x-actor': 'somebody else', 'x-forwarded-for': '203.0.113.9' };
    const made = await api.call('POST', '/v1/webhooks', webhook, { key, headers });
    expect(made.status).toBe(201);
    const query = `subject=${made.body.webhook_id}`;
    const [entry] = (await api.call('GET', `/v1/audit-log?${query}`)).body.data;
    expect(entry).toMatchObject({
      actor_name: 'Zoë',
      actor: expect.stringMatching(/^ptk_/),
      ip: '127.0.0.1',
    });
  });

  test('makes no further token and no key', async () => {
    const key = await issue({ scopes: ['manage'] });
    for (const [path, body] of [
      ['/v1/portal-tokens', {}],
      ['/v1/keys', { scopes: ['read'] }],
    ] as const) {
      const { status, body: answer } = await world.api.call('POST', path, body, { key });
      expect([status, answer.code]).toEqual([403, 'forbidden']);
    }
  });

  test('is not issued for longer than a day, nor with a scope that portals have not', async () => {
    const labels = Object.fromEntries(
      ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((key) => [key, '🦄'.repeat(64)]),
    );
    for (const body of [
      { labels, user: 'ü'.repeat(128) },
      { ttl_seconds: 86_401 },
      { ttl_seconds: 59 },
      { scopes: ['ingest'] },
      { scopes: ['admin'] },
    ]) {
      const { status } = await world.api.call('POST', '/v1/portal-tokens', { tenant_id: 'acme', ...body });
      expect(status).toBe(400);
    }
  });
});

describe('what is kept per tenant', () => {
  test('is never shared by two who use the same words', async () => {
    const { api, acmeKey, otherKey } = world;
    const event = { type: 'order.created', payload: { n: 1 }, event_id: 'order-1' };
    const headers = { 'idempotency-key': 'the-same-key' };
    const post = (tenant_id: string, key: string) =>
      api.call('POST', '/v1/events', { ...event, tenant_id }, { key, headers });
    const [first, second] = [await post('acme', acmeKey), await post('other', otherKey)];
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(first.body.event_id).not.toBe(second.body.event_id);
    expect((await post('acme', acmeKey)).body.event_id).toBe(first.body.event_id);
    expect((await post('other', otherKey)).body.event_id).toBe(second.body.event_id);
  });
});

describe('a page of another origin', () => {
  test('is not let in: CORS is off', async () => {
    const { api } = world;
    const headers = { origin: 'https://evil.example', 'access-control-request-method': 'GET' };
    for (const method of ['GET', 'OPTIONS']) {
      const answer = await api.call(method, '/v1/webhooks?tenant_id=acme', undefined, { headers });
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });
});

describe('what a role is', () => {
  test('is one of those that the world has keys for', () => {
    const roles = Object.keys(world.keys) as Role[];
    const kinds = new Set(guarded.flatMap(({ callers }) => callers));
    expect(new Set(roles.map((role) => role.split(' ')[0]))).toEqual(kinds);
  });
});
