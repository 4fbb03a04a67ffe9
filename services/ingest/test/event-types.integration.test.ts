import { decodeEvent } from '@posthorn/contracts';
import { inTransaction, MAX_EVENT_TYPE_VERSIONS, MAX_EVENT_TYPES, type Sql } from '@posthorn/db';
import { waitUntil } from '@posthorn/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiAnswer, startApi, type TestApi } from './api.ts';

let api: TestApi;
let key: string;
beforeAll(async () => {
  api = await startApi();
  ({ key } = await api.createTenant('acme'));
});
afterAll(() => api?.close());

const SCHEMA = {
  type: 'object',
  required: ['order_id', 'total'],
  properties: { order_id: { type: 'string', pattern: '^ord_' }, total: { type: 'integer' } },
};
const EXAMPLE = { order_id: 'ord_1', total: 4200 };

const post = (path: string, body: unknown, options: { key?: string } = {}) =>
  api.call('POST', `/v1${path}`, body, options);
const patch = (name: string, body: unknown) => api.call('PATCH', `/v1/event-types/${name}`, body);
const get = (path: string, options: { key?: string } = {}) =>
  api.call('GET', `/v1${path}`, undefined, options);
const send = (type: string, payload: unknown): Promise<ApiAnswer> =>
  post('/events', { type, payload }, { key });
const create = (name: string, more: object = {}) =>
  post('/event-types', { name, schema: SCHEMA, examples: [EXAMPLE], ...more });
const importOf = (webhooks: object) =>
  post('/event-types/import', { document: { openapi: '3.1.0', webhooks } });
/** Thousands of rows without one each in the audit log. */
const unaudited = (change: (sql: Sql) => Promise<unknown>): Promise<unknown> =>
  inTransaction(api.database.sql, async (sql) => {
    await sql`select set_config('posthorn.audited', 'on', true)`;
    return change(sql);
  });
const actionsOn = async (subject: string): Promise<string[]> => {
  const rows = await api.database.sql<{ action: string }[]>`
    select action from audit_log where subject = ${subject} order by audit_id`;
  return rows.map(({ action }) => action);
};

describe('the catalogue', () => {
  it('keeps a type with its versions, each change being in the audit log', async () => {
    const created = await create('order.created', { description: 'An order.', enforcement: 'warn' });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      name: 'order.created',
      state: 'active',
      enforcement: 'warn',
      current_version: 1,
      schema: SCHEMA,
      examples: [EXAMPLE],
    });
    expect((await create('order.created')).body.code).toBe('event_type_exists');
    const second = await post('/event-types/order.created/versions', { schema: { type: 'object' } });
    expect([second.status, second.body.current_version, second.body.examples]).toEqual([201, 2, []]);
    const versions = await get('/event-types/order.created/versions');
    expect(versions.body.data.map(({ version }: { version: number }) => version)).toEqual([2, 1]);
    const back = await patch('order.created', { current_version: 1, state: 'deprecated' });
    expect(back.body).toMatchObject({ current_version: 1, state: 'deprecated', schema: SCHEMA });
    expect((await patch('order.created', { current_version: 3 })).body.code).toBe('event_type_not_found');
    expect(await actionsOn('order.created')).toEqual([
      'event_type.created',
      'event_type.version_added',
      'event_type.deprecated',
    ]);
  });

  it('lists types page by page, without those that are archived', async () => {
    for (const name of ['list.a', 'list.b', 'list.c', 'list.d']) await create(name);
    await patch('list.b', { state: 'archived' });
    const first = await get('/event-types?prefix=list.&limit=2', { key });
    const names = (answer: ApiAnswer) => answer.body.data.map(({ name }: { name: string }) => name);
    expect(names(first)).toEqual(['list.a', 'list.c']);
    const second = await api.call('GET', first.body.next);
    expect([names(second), second.body.next]).toEqual([['list.d'], null]);
    expect(names(await api.call('GET', second.body.prev))).toEqual(['list.a', 'list.c']);
    expect(names(await get('/event-types?state=archived&prefix=list.'))).toEqual(['list.b']);
  });

  it('keeps whatever JSON can say', async () => {
    const odd = '{"const":{"a":"\\u0000\\ud800","__proto__":1,"b":[1e400]},"description":"\\u0000"}';
    const created = await post('/event-types', `{"name":"odd","schema":${odd},"examples":[]}`);
    expect(created.status).toBe(201);
    const shown = await get('/event-types/odd');
    expect(shown.text).toContain('"const":{"a":"\\u0000\\ud800","__proto__":1,"b":[null]}');
  });

  it('is the operator’s to change, and everybody’s to read', async () => {
    await create('mine');
    const token = await post('/portal-tokens', { tenant_id: 'acme', scopes: ['read'], ttl_seconds: 60 });
    for (const reader of [key, token.body.token]) {
      expect((await get('/event-types/mine', { key: reader })).status).toBe(200);
      expect((await get('/event-types', { key: reader })).status).toBe(200);
      expect((await post('/event-types', { name: 'yours' }, { key: reader })).status).toBe(403);
      expect((await post('/event-types/import', { document: {} }, { key: reader })).status).toBe(403);
    }
  });

  it('refuses schemas that are none, and examples that do not fit, with the place', async () => {
    const pointers = async (body: object) =>
      (await post('/event-types', { name: 'bad', ...body })).body.errors?.map(
        ({ pointer }: { pointer: string }) => pointer,
      );
    expect(await pointers({ schema: { properties: { a: { type: 'strin' } } } })).toContain(
      '/schema/properties/a/type',
    );
    expect(await pointers({ schema: { properties: { a: { pattern: '(?=a)' } } } })).toEqual([
      '/schema/properties/a/pattern',
    ]);
    expect(await pointers({ schema: SCHEMA, examples: [EXAMPLE, {}] })).toEqual([
      '/examples/1/order_id',
      '/examples/1/total',
    ]);
    expect(await pointers({ schema: { description: 'x'.repeat(70_000) } })).toEqual(['/schema']);
    expect((await get('/event-types/bad')).body.code).toBe('event_type_not_found');
  });

  it('has room for so many types, and so many versions of each', async () => {
    await create('full');
    await unaudited(
      (tx) => tx`
      insert into event_type_versions (name, version)
      select 'full', generate_series(2, ${MAX_EVENT_TYPE_VERSIONS}::int)`,
    );
    const version = await post('/event-types/full/versions', {});
    expect([version.status, version.body.code, version.body.limit]).toEqual([
      409,
      'too_many_event_types',
      MAX_EVENT_TYPE_VERSIONS,
    ]);
    await unaudited(
      (tx) => tx`
      insert into event_types (name) select 'filler.' || generate_series(1, ${MAX_EVENT_TYPES}::int)`,
    );
    for (const answer of [await create('one-more'), await importOf({ 'one.more': { post: {} } })]) {
      expect([answer.status, answer.body.code, answer.body.limit]).toEqual([
        409,
        'too_many_event_types',
        MAX_EVENT_TYPES,
      ]);
    }
    await unaudited((tx) => tx`delete from event_types where starts_with(name, 'filler.')`);
  });
});

describe('events of a type in the catalogue', () => {
  it('are refused, warned or let by as it says, at once after each change', async () => {
    await create('sale.made', { enforcement: 'reject' });
    const refused = await send('sale.made', { order_id: 'x', total: '1' });
    expect([refused.status, refused.body.code]).toEqual([422, 'payload_invalid']);
    expect(refused.body.errors).toEqual([
      { pointer: '/payload/order_id', detail: 'must match pattern "^ord_"' },
      { pointer: '/payload/total', detail: 'must be integer' },
    ]);
    expect(await send('sale.made', EXAMPLE)).toMatchObject({ status: 202 });
    await patch('sale.made', { enforcement: 'warn' });
    const warned = await send('sale.made', {});
    expect(warned.status).toBe(202);
    expect(warned.body.warnings).toMatchObject([
      { code: 'payload_invalid', errors: [{ pointer: '/payload/order_id' }, {}] },
    ]);
    await patch('sale.made', { enforcement: 'off' });
    expect((await send('sale.made', {})).body).not.toHaveProperty('warnings');
  });

  it('are checked in every form, and by a batch one by one', async () => {
    await create('form.checked', { enforcement: 'reject' });
    const type = 'form.checked';
    const answer = await post(
      '/events/batch',
      [
        { type, payload: EXAMPLE },
        { type, payload: {} },
        { type, payload: EXAMPLE },
      ],
      { key },
    );
    expect(answer.body.results.map(({ status }: { status: number }) => status)).toEqual([202, 422, 202]);
    expect(answer.body.results[1].problem.errors[0].pointer).toBe('/payload/order_id');
    const cloud = await api.call(
      'POST',
      '/v1/events',
      { specversion: '1.0', type, source: '/s', id: '1', data: {} },
      { key, headers: { 'content-type': 'application/cloudevents+json' } },
    );
    expect(cloud.body.errors[0].pointer).toBe('/data/order_id');
    const text = await post('/events', { type, payload_text: 'x' }, { key });
    expect(text.body).toMatchObject({ code: 'payload_invalid', errors: [{ pointer: '/payload_text' }] });
  });

  it('become unknown when it is archived, which each tenant has a policy for', async () => {
    await create('old.thing');
    await patch('old.thing', { state: 'archived' });
    const outcomes: unknown[] = [];
    for (const policy of ['allow', 'warn', 'reject']) {
      const changed = await api.call('PATCH', '/v1/tenants/acme', { unknown_event_types: policy });
      expect(changed.status).toBe(200);
      for (const type of ['old.thing', 'never.seen']) {
        const { status, body } = await send(type, 1);
        outcomes.push([policy, status, body.code ?? body.warnings?.[0].code]);
      }
    }
    await api.call('PATCH', '/v1/tenants/acme', { unknown_event_types: 'allow' });
    expect(outcomes).toEqual([
      ['allow', 202, undefined],
      ['allow', 202, undefined],
      ['warn', 202, 'event_type_unknown'],
      ['warn', 202, 'event_type_unknown'],
      ['reject', 422, 'event_type_unknown'],
      ['reject', 422, 'event_type_unknown'],
    ]);
  });

  it('are held to what SQL made of it as well', async () => {
    await create('sql.changed', { enforcement: 'off' });
    await api.database.sql`update event_types set enforcement = 'reject' where name = 'sql.changed'`;
    await waitUntil(async () => (await send('sql.changed', {})).status === 422, {
      what: 'the change by SQL to be effective',
    });
  });
});

describe('an import', () => {
  const documentOf = (schema: object) => ({
    openapi: '3.1.0',
    webhooks: {
      'user.updated': {
        post: {
          description: 'A user changed.',
          requestBody: {
            content: {
              'application/json': { schema: { $ref: '#/components/schemas/User' }, example: { id: 'u_1' } },
            },
          },
        },
      },
    },
    components: { schemas: { User: schema } },
  });
  const USER = { type: 'object', required: ['id'], properties: { id: { type: 'string' } } };
  const run = (document: object, more: object = {}) => post('/event-types/import', { document, ...more });

  it('says what it would do, does it, and finds nothing left to do', async () => {
    const dry = await run(documentOf(USER), { dry_run: true });
    expect(dry.body).toEqual({
      dry_run: true,
      created: 1,
      changed: 0,
      unchanged: 0,
      types: [{ name: 'user.updated', action: 'create' }],
    });
    expect((await get('/event-types/user.updated')).status).toBe(404);
    expect((await run(documentOf(USER), { enforcement: 'reject' })).body.created).toBe(1);
    expect((await send('user.updated', {})).body.errors).toEqual([
      { pointer: '/payload/id', detail: 'is required' },
    ]);
    expect((await run(documentOf(USER))).body).toMatchObject({ created: 0, changed: 0, unchanged: 1 });
    expect((await run(documentOf({ ...USER, required: [] }))).body.types[0].action).toBe('add_version');
    expect((await send('user.updated', {})).status).toBe(202);
  });

  it('does nothing when anything in it has a fault', async () => {
    const document = documentOf({ ...USER, properties: { id: { pattern: '(?=' } } });
    Object.assign(document.webhooks, { fine: { post: {} } });
    const { status, body } = await run(document);
    expect(status).toBe(400);
    expect(body.errors[0].pointer).toContain('/document/webhooks/user.updated/post/requestBody');
    expect((await get('/event-types/fine')).status).toBe(404);
  });
});

describe('an event that is not JSON', () => {
  it('goes to Kafka with its bytes and its type as they are', async () => {
    const bytes = Buffer.from([0, 255, 10, 13, 0x7f]);
    const { body } = await post(
      '/events',
      { type: 'file.made', payload_base64: bytes.toString('base64'), content_type: 'image/png' },
      { key },
    );
    const record = api.sent.items.find(({ headers }) => headers.ce_id === body.event_id)!;
    expect(record.value).toEqual(bytes);
    expect(decodeEvent(record.headers).contentType).toBe('image/png');
  });
});
