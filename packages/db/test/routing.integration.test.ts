import { mintEndpointId, mintEventId, OPERATOR_TENANT_ID } from '@posthorn/contracts';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  changeEndpointState,
  createEndpoint,
  createTenant,
  type Database,
  findEndpoint,
  findEventPayload,
  findEventPayloads,
  insertOperationalEvents,
  listEndpoints,
  loadTenants,
  type NewEndpoint,
  openDatabase,
  type PoolSql,
  pageMissingEvents,
  recordDay,
  recordEvents,
  updateEndpoint,
} from '../src/index.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 12);
const FILTER = { payload: { total: { $gte: 100 } }, labels: { region: { $in: ['eu', 'uk'] } } };

let database: Database;
let sql: PoolSql;
let tenantId: string;
let tenants = 0;
let minted = 0;

beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 2, applicationName: 'test' });
  sql = database.sql;
});
afterAll(() => database.close());
beforeEach(async () => {
  tenantId = `tenant-${++tenants}`;
  await createTenant(sql, { tenantId, name: '', lanes: [3] });
  await sql`delete from endpoints where tenant_id = ${OPERATOR_TENANT_ID}`;
});

async function create(owner: string, over: Partial<NewEndpoint> = {}): Promise<string> {
  const endpointId = mintEndpointId(NOW_MS + ++minted);
  const result = await createEndpoint(sql, owner, {
    endpointId,
    url: 'https://example.com/hook',
    description: '',
    eventTypes: ['order.*'],
    labels: {},
    sealedSecrets: ['sealed'],
    retryScheduleMs: null,
    attemptTimeoutMs: null,
    ...over,
  });
  expect(result.kind).toBe('created');
  return endpointId;
}

async function addEvent(owner: string, type = 'order.created'): Promise<string> {
  const atMs = Date.now() - 3_600_000 + ++minted;
  const eventId = mintEventId(atMs);
  await recordEvents(sql, {
    tenantId: [owner],
    eventId: [eventId],
    type: [type],
    labels: ['{}'],
    contentType: ['application/json'],
    payload: [Buffer.from('{}')],
    occurredAtMs: [atMs],
    acceptedAtMs: [atMs],
    revision: [1],
    retentionDays: [30],
    clientEventId: [null],
    day: [recordDay(eventId)],
  });
  return eventId;
}

describe('a content filter', () => {
  const versions = async () => {
    const [tenant] = await loadTenants(sql, [tenantId]);
    return tenant!.endpoints[0]!.versions.map(({ filter, validUntil }) => [filter, validUntil !== null]);
  };

  test('is of the version that was opened with it, and of those after it until it is changed', async () => {
    const endpointId = await create(tenantId, { filter: FILTER });
    await updateEndpoint(sql, tenantId, endpointId, { labels: { a: 'b' } });
    await updateEndpoint(sql, tenantId, endpointId, { description: 'same subscription' });
    await updateEndpoint(sql, tenantId, endpointId, { filter: null });
    expect(await versions()).toEqual([
      [FILTER, true],
      [FILTER, true],
      [null, false],
    ]);
    expect(await findEndpoint(sql, tenantId, endpointId)).toMatchObject({ filter: null, labels: { a: 'b' } });
  });

  test('is there again when its endpoint is enabled again', async () => {
    const endpointId = await create(tenantId, { filter: FILTER });
    await changeEndpointState(sql, tenantId, endpointId, { state: 'disabled', reason: 'person' });
    await changeEndpointState(sql, tenantId, endpointId, { state: 'active', reason: null });
    expect(await versions()).toEqual([
      [FILTER, true],
      [FILTER, false],
    ]);
    expect(await findEndpoint(sql, tenantId, endpointId)).toMatchObject({ filter: FILTER });
  });

  test('is an object', async () => {
    await create(tenantId);
    const byHand = sql`update endpoint_versions set filter = '[]' where tenant_id = ${tenantId}`;
    await expect(byHand).rejects.toThrow(/check constraint/);
  });
});

describe('a system endpoint', () => {
  test("is the operator's alone, loaded as what it is, and listed apart", async () => {
    await expect(create(tenantId, { scope: 'all_tenants' })).rejects.toThrow(/endpoints_scope_owner_check/);
    const own = await create(OPERATOR_TENANT_ID);
    const system = await create(OPERATOR_TENANT_ID, { scope: 'all_tenants' });
    const [operator] = await loadTenants(sql, [OPERATOR_TENANT_ID]);
    expect(operator!.endpoints.map(({ endpointId, scope }) => [endpointId, scope])).toEqual([
      [own, 'tenant'],
      [system, 'all_tenants'],
    ]);
    const filter = { tenantId: OPERATOR_TENANT_ID, state: null, eventType: null, labels: [], urlText: null };
    const list = async (more: object) =>
      (await listEndpoints(sql, { ...filter, ...more }, { limit: 10, at: null, backwards: false })).map(
        (row) => row.endpointId,
      );
    expect(await list({})).toEqual([own]);
    expect(await list({ scope: 'all_tenants' })).toEqual([system]);
  });

  test('makes no operational events be written, which it does not get', async () => {
    const event = {
      eventId: mintEventId(NOW_MS),
      type: 'posthorn.endpoint.disabled',
      dedupeKey: `key ${tenantId}`,
      tenantId,
      payload: {},
    };
    await create(OPERATOR_TENANT_ID, { scope: 'all_tenants' });
    expect(await insertOperationalEvents(sql, [event])).toBe(0);
    await create(OPERATOR_TENANT_ID);
    expect(await insertOperationalEvents(sql, [event])).toBe(1);
  });

  test("missed the events of other tenants, and none of the operator's own", async () => {
    const endpointId = await create(OPERATOR_TENANT_ID, { scope: 'all_tenants' });
    const own = await create(OPERATOR_TENANT_ID);
    const theirs = await addEvent(tenantId);
    const operational = await addEvent(OPERATOR_TENANT_ID);
    await addEvent(tenantId, 'user.created');
    const missing = async (filters: { endpointId: string }) => {
      const page = { cursor: null, limit: 10 };
      const { rows } = await pageMissingEvents(sql, OPERATOR_TENANT_ID, filters, page);
      return rows.map(({ eventId, tenantId: of }) => [eventId, of]);
    };
    expect(await missing({ endpointId })).toEqual([[theirs, OPERATOR_TENANT_ID]]);
    expect(await missing({ endpointId: own })).toEqual([[operational, OPERATOR_TENANT_ID]]);
  });

  test("has its payloads looked up in the operator's name, whosever event it is, and nobody else's are", async () => {
    const eventId = await addEvent(tenantId);
    expect(await findEventPayload(sql, OPERATOR_TENANT_ID, eventId)).toMatchObject({ eventId, tenantId });
    expect(await findEventPayload(sql, tenantId, eventId)).toMatchObject({ eventId, tenantId });
    expect(await findEventPayload(sql, 'another', eventId)).toBeNull();
    const many = async (owner: string) => [...(await findEventPayloads(sql, owner, [eventId])).keys()];
    expect([await many(OPERATOR_TENANT_ID), await many('another')]).toEqual([[eventId], []]);
  });
});

test('a subscription that the release before changes keeps its filter, which that release cannot name', async () => {
  const endpointId = await create(tenantId, { filter: FILTER });
  await sql.begin(async (transaction) => {
    await transaction`
      update endpoint_versions set valid_until = current_change(), closed_at = now()
      where endpoint_id = ${endpointId} and valid_until is null`;
    await transaction`
      insert into endpoint_versions (endpoint_id, valid_from, tenant_id, event_types, labels)
      values (${endpointId}, current_change(), ${tenantId}, '{invoice.*}', '{}')`;
  });
  expect(await findEndpoint(sql, tenantId, endpointId)).toMatchObject({
    eventTypes: ['invoice.*'],
    filter: FILTER,
  });
  await updateEndpoint(sql, tenantId, endpointId, { filter: null });
  expect(await findEndpoint(sql, tenantId, endpointId)).toMatchObject({ filter: null });
});
