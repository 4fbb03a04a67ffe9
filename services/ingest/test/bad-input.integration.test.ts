import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { waitUntil } from '@posthorn/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApi, type TestApi } from './api.ts';

/** What Postgres, JavaScript or JSON have no value for, as JSON texts. */
const VALUES = [
  '"a\\u0000b"',
  '"\\ud800"',
  '1e999',
  '99999999999999999999',
  '{"constructor":"***"}',
  '{"a\\u0000":"\\udfff"}',
  '["\\u0000"]',
  '"9999-12-31T23:59:59Z"',
];
const TEXTS = [
  'a\0b',
  '99999999999999999999',
  'ffffffff-ffff-7fff-bfff-ffffffffffff',
  'ffffffff-ffff-7fff-bfff-ffffffffffff_0123456789abcdef',
  '9999-12-31T23:59:59Z',
];

interface Described {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: {
    readonly content: Record<string, { readonly schema: SchemaNode } | undefined>;
  };
}
interface SchemaNode {
  readonly $ref?: string;
  readonly properties?: Record<string, unknown>;
  readonly examples?: readonly Record<string, unknown>[];
}

let api: TestApi;
let document: { paths: Record<string, Record<string, Described>>; components: { schemas: object } };
/** Names of path parameters, and what there is to be found under them. */
let known: Record<string, string>;
beforeAll(async () => {
  const reportDatabaseDown = () => {
    timesReportedDown += 1;
  };
  api = await startApi((parts) => ({ ...parts, reportDatabaseDown }));
  await api.createTenant('acme');
  document = (await api.call('GET', '/v1/openapi.json')).body;
  const webhook = { tenant_id: 'acme', url: 'https://hooks.example/a' };
  const { webhook_id } = (await api.call('POST', '/v1/webhooks', webhook)).body;
  const { key_id } = (await api.call('POST', '/v1/keys', { tenant_id: 'acme', scopes: ['read'] })).body;
  await api.call('POST', '/v1/event-types', { name: 'order.created' });
  known = { tenant_id: 'acme', tenant: 'acme', webhook_id, key_id, event_type: 'order.created' };
});
afterAll(() => api.close());

let timesReportedDown = 0;

const operations = (...methods: readonly string[]) =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    methods.flatMap((method) => (item[method] ? [{ path, method, described: item[method] }] : [])),
  );

const fill = (path: string, given: Readonly<Record<string, string>> = {}): string =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(given[name] ?? known[name] ?? 'x'));

interface Hostile {
  readonly method: string;
  readonly url: string;
  readonly body?: string;
}

const AT_ONCE = 10;

/** Those of the requests that were answered by a failure of ours, or by no operation at all. */
async function failing(requests: readonly Hostile[]): Promise<string[]> {
  const failed: string[] = [];
  const judge = async (request: Hostile): Promise<'busy' | undefined> => {
    const { method, url, body = '' } = request;
    const headers = { 'if-match': '*' };
    const answer = await api.call(method.toUpperCase(), url, body || undefined, { headers });
    if (answer.body?.code === 'overloaded') return 'busy';
    if (answer.status >= 500 || answer.text.includes('route_not_found'))
      failed.push(`${answer.status} ${method} ${url} ${body}`);
  };
  for (let at = 0; at < requests.length; at += AT_ONCE) {
    const together = requests.slice(at, at + AT_ONCE);
    const outcomes = await Promise.all(together.map(judge));
    // What a tenant may ask once at a time is asked again alone.
    for (const request of together.filter((_, i) => outcomes[i] === 'busy'))
      if ((await judge(request)) === 'busy') failed.push(`busy ${request.method} ${request.url}`);
  }
  return failed;
}

describe('what no store can hold', () => {
  test('is refused or found nowhere in each place of a path and a query', async () => {
    const requests = operations('get').flatMap(({ path, method, described }) =>
      (described.parameters ?? []).flatMap(({ name, in: place }) =>
        TEXTS.map((text) => ({
          method,
          url:
            place === 'path'
              ? fill(path, { [name]: text })
              : `${fill(path)}?${new URLSearchParams({ [name]: text })}`,
        })),
      ),
    );
    expect(requests.length).toBeGreaterThan(500);
    expect(await failing(requests)).toEqual([]);
  });

  test('is refused in each field of a body', async () => {
    const requests = operations('post', 'put', 'patch').flatMap(({ path, method, described }) =>
      bodiesOf(described).map((body) => ({ method, url: fill(path), body })),
    );
    expect(requests.length).toBeGreaterThan(500);
    expect(await failing(requests)).toEqual([]);
  });

  /** The example of an operation with one field after the other made hostile. */
  function bodiesOf({ requestBody }: Described): string[] {
    const schema = resolve(requestBody?.content['application/json']?.schema);
    const example = schema?.examples?.[0] ?? {};
    const fields = new Set([...Object.keys(schema?.properties ?? {}), ...Object.keys(example)]);
    return [...fields].flatMap((field) => {
      const { [field]: _left, ...rest } = example;
      const others = Object.entries(rest).map(([name, value]) => `"${name}":${JSON.stringify(value)}`);
      return VALUES.map((value) => `{${[...others, `"${field}":${value}`].join()}}`);
    });
  }

  const resolve = (schema: SchemaNode | undefined): SchemaNode | undefined =>
    schema?.$ref === undefined
      ? schema
      : (document.components.schemas as Record<string, SchemaNode>)[schema.$ref.split('/').at(-1)!];
});

test('a tenant that no Postgres can look for takes no other one down that is looked for with it', async () => {
  await api.createTenant('beside');
  const [odd, beside] = await Promise.all([
    api.call('GET', '/v1/quotas/a%00b'),
    api.call('GET', '/v1/quotas/beside'),
  ]);
  expect([odd.status, odd.body.code, beside.status]).toEqual([404, 'tenant_not_found', 200]);
});

test('a header that is to stay, but was never there, is refused by whatever name', async () => {
  const headers = { constructor: '***' };
  const { status, body } = await api.call('PATCH', fill('/v1/webhooks/{webhook_id}'), { headers });
  expect([status, body.errors?.[0].pointer]).toEqual([400, '/headers/constructor']);
});

test.each([
  ['/v1/events', 'application/json'],
  ['/v1/events/batch', 'application/json'],
  ['/v1/events/batch', 'application/x-ndjson'],
  ['/v1/tenants', 'application/json'],
])('a body in crumbs (%s, %s) is given up with its connection', async (path, type) => {
  if (!api.app.server.listening) await api.app.listen({ port: 0, host: '127.0.0.1' });
  const socket = connect((api.app.server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: api.example',
    `authorization: Bearer ${api.operatorKey}`,
    `content-type: ${type}`,
    'transfer-encoding: chunked',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  socket.write('1\r\n \r\n'.repeat(10_000));
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  // A server that closes before it has read all resets the connection, after its answer.
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('close', resolve));
  expect(answer).toContain('malformed_request');
});

/** The process of Postgres that waits for a lock in a question with these words; null when there is none. */
async function waitingFor(words: string): Promise<number | null> {
  const [found] = await api.database.sql<{ pid: number }[]>`
    select pid from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and strpos(query, ${words}) > 0`;
  return found?.pid ?? null;
}

const untilWaiting = (words: string): Promise<number> =>
  waitUntil(() => waitingFor(words), { what: `a question that waits: ${words}` });

describe('a question that takes long', () => {
  test('fails alone when its time is over: it says nothing of those of others', async () => {
    const { asked } = await api.database.sql.begin(async (sql) => {
      await sql`lock table plans in access exclusive mode`;
      const asked = api.call('GET', '/v1/plans');
      // As the time-out of statements does.
      await api.database.sql`select pg_cancel_backend(${await untilWaiting('from plans')})`;
      return { asked };
    });
    const { status, body } = await asked;
    expect([status, body.code, timesReportedDown]).toEqual([503, 'database_unavailable', 0]);
  });

  test('is asked once at a time for a tenant', async () => {
    const preview = () =>
      api.call('POST', fill('/v1/webhooks/{webhook_id}/replay-missing'), {
        since: '1970-01-01T00:00:00Z',
        dry_run: true,
      });
    const { first, second } = await api.database.sql.begin(async (sql) => {
      await sql`lock table events in access exclusive mode`;
      const first = preview();
      await untilWaiting('as materialized');
      return { first, second: await preview() };
    });
    expect([second.status, second.body.code]).toEqual([503, 'overloaded']);
    expect((await first).status).toBe(200);
  });
});
