import { mintEndpointId, mintEventId, OPERATOR_TENANT_ID } from '@posthorn/contracts';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  changeEndpointState,
  closeLane,
  createEndpoint,
  createTenant,
  currentSequence,
  type Database,
  findEndpoint,
  findTenant,
  insertCancellation,
  inTransaction,
  loadTenants,
  MAX_CANCELLATIONS,
  openDatabase,
  type PoolSql,
  removeExpiredCancellations,
  setLanes,
  updateEndpoint,
  updateQuotas,
} from '../src/index.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 12);

let database: Database;
let sql: PoolSql;
let tenantId: string;
let endpointId: string;
let created: number;
let tenants = 0;

beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 4, applicationName: 'test' });
  sql = database.sql;
});
afterAll(() => database.close());

beforeEach(async () => {
  tenantId = `tenant-${++tenants}`;
  endpointId = mintEndpointId(NOW_MS);
  await createTenant(sql, { tenantId, name: '', lanes: [3], quotas: { maxConcurrentDeliveries: 4 } });
  const result = await createEndpoint(sql, tenantId, {
    endpointId,
    url: 'https://example.com/hook',
    description: '',
    eventTypes: ['order.*'],
    labels: {},
    sealedSecrets: ['sealed'],
    retryScheduleMs: null,
    attemptTimeoutMs: 5_000,
    maxPerSec: 7,
  });
  if (result.kind !== 'created') throw new Error(result.kind);
  created = result.change;
});

const loaded = async () => (await loadTenants(sql, [tenantId]))[0]!;
const loadedEndpoint = async () => (await loaded()).endpoints[0]!;
/** From and until which change, and for what. */
const versions = async () =>
  (await loadedEndpoint()).versions.map((each) => [each.validFrom, each.validUntil, ...each.eventTypes]);
const to = (
  state: 'active' | 'paused' | 'disabled' | 'deleted',
  pauseMode?: 'hold' | 'drop',
  reason: string | null = 'person',
) => changeEndpointState(sql, tenantId, endpointId, { state, reason, ...(pauseMode && { pauseMode }) });

describe('an endpoint', () => {
  test('changes in what is given and in nothing else', async () => {
    const changed = await updateEndpoint(sql, tenantId, endpointId, {
      maxConcurrency: 2,
      attemptTimeoutMs: null,
      retryScheduleMs: [500, 1_000],
      maxRetryMs: 3_600_000,
    });
    expect(changed).toMatchObject({
      change: created + 1,
      row: {
        url: 'https://example.com/hook',
        maxConcurrency: 2,
        attemptTimeoutMs: null,
        retryScheduleMs: [500, 1_000],
        maxPerSec: 7,
      },
    });
    expect(await loadedEndpoint()).toMatchObject({ maxConcurrency: 2, maxPerSec: 7, maxRetryMs: 3_600_000 });
    expect(await versions()).toEqual([[created, null, 'order.*']]);
  });

  test('that nothing is given for takes no number, and a deleted one none either', async () => {
    expect(await updateEndpoint(sql, tenantId, endpointId, {})).toMatchObject({ change: null });
    await to('deleted');
    const before = await currentSequence(sql);
    expect(await updateEndpoint(sql, tenantId, endpointId, {})).toBeNull();
    expect(await updateEndpoint(sql, tenantId, endpointId, { description: 'x' })).toBeNull();
    expect(await updateEndpoint(sql, 'another', endpointId, { description: 'x' })).toBeNull();
    expect((await loaded()).revision).toBe(before);
  });

  test('subscribes anew from the change on', async () => {
    const { change } = (await updateEndpoint(sql, tenantId, endpointId, { eventTypes: ['user.*'] }))!;
    expect(await versions()).toEqual([
      [created, change, 'order.*'],
      [change, null, 'user.*'],
    ]);
  });

  test('that is disabled matches nothing by another subscription, until it is enabled with it', async () => {
    const { change: closed } = (await to('disabled'))!;
    const { change } = (await updateEndpoint(sql, tenantId, endpointId, { eventTypes: ['user.*'] }))!;
    expect(await versions()).toEqual([
      [created, closed, 'order.*'],
      [change, change, 'user.*'],
    ]);
    const { change: opened } = (await to('active', undefined, null))!;
    expect((await versions()).at(-1)).toEqual([opened, null, 'user.*']);
  });

  test('takes another subscription and another state in one change', async () => {
    const change = await inTransaction(sql, async (transaction) => {
      await updateEndpoint(transaction, tenantId, endpointId, { eventTypes: ['user.*'] });
      return changeEndpointState(transaction, tenantId, endpointId, { state: 'disabled', reason: 'person' });
    });
    const both = change!.change;
    expect(await versions()).toEqual([
      [created, both, 'order.*'],
      [both, both, 'user.*'],
    ]);
    const back = await inTransaction(sql, async (transaction) => {
      await updateEndpoint(transaction, tenantId, endpointId, { eventTypes: ['a.b'] });
      return changeEndpointState(transaction, tenantId, endpointId, { state: 'active', reason: null });
    });
    expect((await versions()).at(-1)).toEqual([back!.change, null, 'a.b']);
  });

  test('matches while it is paused to hold, and not while it is paused to drop', async () => {
    await to('paused', 'hold');
    expect(await loadedEndpoint()).toMatchObject({ state: 'paused', pauseMode: 'hold' });
    expect(await versions()).toEqual([[created, null, 'order.*']]);
    const { change: dropped } = (await to('paused', 'drop'))!;
    expect(await versions()).toEqual([[created, dropped, 'order.*']]);
    const { change: held } = (await to('paused', 'hold'))!;
    await to('active', undefined, null);
    expect(await loadedEndpoint()).toMatchObject({ state: 'active', pauseMode: null, stateReason: null });
    expect(await versions()).toEqual([
      [created, dropped, 'order.*'],
      [held, null, 'order.*'],
    ]);
  });

  test('is not changed to what it is, nor paused while it is disabled, nor brought back', async () => {
    expect(await to('active')).toBeNull();
    await to('paused', 'hold');
    expect(await to('paused', 'hold')).toBeNull();
    await to('disabled', undefined, 'gone');
    expect(await to('paused', 'hold')).toBeNull();
    expect(await findEndpoint(sql, tenantId, endpointId)).toMatchObject({
      state: 'disabled',
      stateReason: 'gone',
      pauseMode: null,
    });
    await to('deleted');
    expect(await to('active')).toBeNull();
  });
});

describe('lanes', () => {
  test('that a tenant leaves drain, also when it leaves the next ones before', async () => {
    const first = await setLanes(sql, tenantId, [5]);
    expect(first).toMatchObject({ kind: 'changed', lanes: [5], drainingLanes: [3] });
    const second = await setLanes(sql, tenantId, [3, 6]);
    expect(second).toMatchObject({ lanes: [3, 6], drainingLanes: [5] });
    expect(await loaded()).toMatchObject({
      lanes: [3, 6],
      drainingLanes: [5],
      lanesRevision: (second as { change: number }).change,
    });
    expect(await findTenant(sql, tenantId)).toMatchObject({ drainingLanes: [5] });
    expect(await setLanes(sql, 'nobody', [1])).toBeNull();
  });

  test('are no more than the cap, those that drain included, whichever of the two changes', async () => {
    expect(await setLanes(sql, tenantId, [4, 5, 6, 7])).toEqual({ kind: 'over_cap', lanes: 5, cap: 4 });
    await setLanes(sql, tenantId, [4, 5]);
    expect(await updateQuotas(sql, tenantId, { maxConcurrentDeliveries: 2 })).toEqual({
      kind: 'over_cap',
      tenantId,
      lanes: 3,
      cap: 2,
    });
    expect(await updateQuotas(sql, tenantId, { maxConcurrentDeliveries: 3 })).toMatchObject({
      kind: 'changed',
    });
  });

  test('that have drained are closed by who knew their last change, once, and the tenant moves on', async () => {
    const change = await setLanes(sql, tenantId, [5]);
    const lanesRevision = (change as { change: number }).change;
    expect(await closeLane(sql, { tenantId, lane: 3, lanesRevision: lanesRevision - 1 })).toBe(false);
    expect(await closeLane(sql, { tenantId, lane: 5, lanesRevision })).toBe(false);
    expect(await closeLane(sql, { tenantId, lane: 3, lanesRevision })).toBe(true);
    expect(await closeLane(sql, { tenantId, lane: 3, lanesRevision })).toBe(false);
    expect(await loaded()).toMatchObject({ drainingLanes: [], revision: lanesRevision + 1 });
  });
});

describe('a cancellation', () => {
  const cancel = (scope: { endpointId?: string; eventId?: string } = {}) =>
    insertCancellation(sql, tenantId, { endpointId: null, eventId: null, ...scope });
  const live = async () => (await loaded()).cancellations;

  test('is loaded with its tenant, and moves it to the next revision', async () => {
    const eventId = mintEventId(NOW_MS);
    const cancelled = await cancel({ eventId });
    expect(cancelled).toEqual({ kind: 'cancelled', change: created + 1 });
    expect(await loaded()).toMatchObject({
      revision: created + 1,
      cancellations: [{ revision: created + 1, endpointId: null, eventId }],
    });
    expect(await insertCancellation(sql, 'nobody', { endpointId: null, eventId: null })).toBeNull();
  });

  test('takes the place of those it covers', async () => {
    await cancel({ endpointId });
    await cancel({ eventId: mintEventId(NOW_MS) });
    await cancel({ endpointId });
    expect(await live()).toHaveLength(2);
    await cancel();
    expect(await live()).toMatchObject([{ endpointId: null, eventId: null }]);
  });

  test('is refused beyond a bound, until older ones have expired', async () => {
    await sql`
      insert into cancellations (tenant_id, revision, event_id, expires_at)
      select ${tenantId}, -n, gen_random_uuid(), now() + interval '1 day' from generate_series(1, ${MAX_CANCELLATIONS}) n`;
    expect(await cancel({ endpointId })).toEqual({ kind: 'too_many', limit: MAX_CANCELLATIONS });
    await sql`update cancellations set expires_at = now() where tenant_id = ${tenantId} and revision < -1`;
    expect(await live()).toHaveLength(1);
    expect(await removeExpiredCancellations(sql)).toBe(MAX_CANCELLATIONS - 1);
    expect(await cancel({ endpointId })).toMatchObject({ kind: 'cancelled' });
  });
});

test('the operator has a tenant of its own, on a lane of its own', async () => {
  const [operator] = await loadTenants(sql, [OPERATOR_TENANT_ID]);
  expect(operator).toMatchObject({ lanes: [0], quotas: { dlqPolicy: 'warn' } });
});
