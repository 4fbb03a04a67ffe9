import { mintEndpointId } from '@posthorn/contracts';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  changeEndpointState,
  changesSince,
  countOperatorKeys,
  createEndpoint,
  createTenant,
  currentSequence,
  type Database,
  dropPreviousSecrets,
  type EndpointFilter,
  findApiKey,
  findEndpoint,
  findEndpointOfAnyTenant,
  findQuotas,
  findTenant,
  insertApiKey,
  listEndpoints,
  loadTenants,
  type NewEndpoint,
  openDatabase,
  type PlaceInList,
  type PoolSql,
  pollReplica,
  removeReplica,
  revokeApiKey,
  rotateSecret,
  updateEndpoint,
  updateQuotas,
} from '../src/index.ts';

let database: Database;
let sql: PoolSql;
let tenantId: string;
let tenants = 0;
let lastMintedAtMs = 1_790_000_000_000;

beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 4, applicationName: 'test' });
  sql = database.sql;
});
afterAll(() => database.close());

beforeEach(async () => {
  tenantId = `tenant-${++tenants}`;
  await createTenant(sql, { tenantId, name: 'Tenant', lanes: [3] });
});

const endpoint = (over: Partial<NewEndpoint> = {}): NewEndpoint => ({
  endpointId: mintEndpointId(++lastMintedAtMs),
  url: 'https://example.com/hook',
  description: '',
  eventTypes: ['order.*'],
  labels: { region: 'eu' },
  sealedSecrets: ['sealed'],
  retryScheduleMs: [1_000, 4_000],
  attemptTimeoutMs: 5_000,
  ...over,
});

async function create(over: Partial<NewEndpoint> = {}): Promise<{ endpointId: string; change: number }> {
  const wanted = endpoint(over);
  const result = await createEndpoint(sql, tenantId, wanted);
  if (result.kind !== 'created') throw new Error(result.kind);
  return { endpointId: wanted.endpointId, change: result.change };
}

const ofTenant = (): EndpointFilter => ({
  tenantId,
  state: null,
  eventType: null,
  labels: [],
  urlText: null,
});

describe('a tenant', () => {
  test('starts with the default quotas', async () => {
    expect(await findQuotas(sql, tenantId)).toEqual({
      maxEventsPerSec: 100,
      maxConcurrentDeliveries: 50,
      maxDlqSize: 100,
      maxWebhooks: 1_000,
      dlqPolicy: 'refuse',
      overrides: [],
    });
  });

  test('is made once', async () => {
    expect(await createTenant(sql, { tenantId, name: 'Other', lanes: [1] })).toEqual({
      kind: 'exists',
      by: tenantId,
    });
    expect(await findTenant(sql, tenantId)).toMatchObject({ name: 'Tenant', lanes: [3], retentionDays: 30 });
  });

  test('takes over only the quotas that are given', async () => {
    const updated = await updateQuotas(sql, tenantId, { maxDlqSize: 7, dlqPolicy: 'drop_oldest' });
    expect(updated).toMatchObject({
      kind: 'changed',
      quotas: { maxEventsPerSec: 100, maxDlqSize: 7, dlqPolicy: 'drop_oldest' },
    });
    expect(await updateQuotas(sql, 'nobody', { maxDlqSize: 7 })).toBeNull();
  });
});

describe("an endpoint's requests", () => {
  const request = {
    method: 'PUT',
    sealedHeaders: { 'x-a': 'sealed' },
    metadata: { owner: 'billing' },
  } as const;
  const loaded = async () => (await loadTenants(sql, [tenantId]))[0]!.endpoints[0]!;

  test('are made as it was created, and as it was changed', async () => {
    const { endpointId } = await create(request);
    expect(await findEndpoint(sql, tenantId, endpointId)).toMatchObject({
      ...request,
      secretsExpireAt: [null],
    });
    const { metadata: _noted, ...made } = request;
    expect(await loaded()).toMatchObject(made);
    await updateEndpoint(sql, tenantId, endpointId, { method: 'POST', sealedHeaders: {} });
    expect(await loaded()).toMatchObject({ method: 'POST', sealedHeaders: {} });
    expect(await findEndpoint(sql, tenantId, endpointId)).toMatchObject({ metadata: { owner: 'billing' } });
  });

  test('of every change have its number, also when it was made by SQL', async () => {
    const { endpointId, change } = await create();
    const revision = async () => (await findEndpoint(sql, tenantId, endpointId))!.revision;
    expect(await revision()).toBe(change);
    const updated = await updateEndpoint(sql, tenantId, endpointId, { labels: {} });
    expect(updated).toMatchObject({ change: updated!.row.revision });
    await sql`update endpoints set url = 'https://other.example' where endpoint_id = ${endpointId}`;
    expect(await revision()).toBe(updated!.change! + 1);
  });

  test('are signed with the secrets before until their grace ends', async () => {
    const { endpointId } = await create({ sealedSecrets: ['first'] });
    const now = new Date(Math.floor(Date.now() / 1_000) * 1_000 + 111);
    const inMs = (ms: number) => new Date(now.getTime() + ms);
    const rotate = (sealedSecret: string, graceMs: number) =>
      rotateSecret(sql, tenantId, endpointId, { sealedSecret, graceEndsAt: inMs(graceMs), now });
    expect(await rotate('second', 60_000)).toMatchObject({
      kind: 'rotated',
      row: { secretsExpireAt: [null, inMs(60_000).toISOString().replace('Z', '+00:00')] },
    });
    expect(await rotate('third', 3_600_000)).toMatchObject({ kind: 'rotated' });
    expect(await loaded()).toMatchObject({
      sealedSecrets: ['third', 'second', 'first'],
      secretsExpireAtMs: [null, inMs(3_600_000).getTime(), inMs(60_000).getTime()],
    });
    expect(await rotate('fourth', 1)).toEqual({ kind: 'too_many', limit: 3 });
    expect(await dropPreviousSecrets(sql, tenantId, endpointId)).toMatchObject({
      change: expect.any(Number),
      row: { secretsExpireAt: [null] },
    });
    expect(await dropPreviousSecrets(sql, tenantId, endpointId)).toMatchObject({ change: null });
    expect(await rotate('fifth', 0)).toMatchObject({ kind: 'rotated' });
    expect((await loaded()).sealedSecrets).toEqual(['fifth']);
    expect(await dropPreviousSecrets(sql, 'another', endpointId)).toBeNull();
  });

  test('show no secret that is past its end', async () => {
    const { endpointId } = await create({ sealedSecrets: ['new', 'old'] });
    await sql`
      update endpoints set secret_expires_at = array[null, now() - interval '1 second']
      where endpoint_id = ${endpointId}`;
    expect(await findEndpoint(sql, tenantId, endpointId)).toMatchObject({ secretsExpireAt: [null] });
  });
});

describe('a list of endpoints', () => {
  const list = async (over: Partial<EndpointFilter>, page: Partial<PlaceInList> = {}) =>
    (
      await listEndpoints(sql, { ...ofTenant(), ...over }, { limit: 10, at: null, backwards: false, ...page })
    ).map(({ endpointId }) => endpointId);

  test('has those that meet every condition', async () => {
    const eu = await create({ labels: { region: 'eu', project: '7' }, eventTypes: ['order.*'] });
    const us = await create({ labels: { region: 'us' }, url: 'https://Other.example/A', eventTypes: ['*'] });
    const paused = await create({ labels: {}, eventTypes: ['order.created', 'user.updated'] });
    await changeEndpointState(sql, tenantId, paused.endpointId, { state: 'paused', reason: 'person' });
    const [a, b, c] = [eu, us, paused].map(({ endpointId }) => endpointId);
    expect(await list({})).toEqual([a, b, c]);
    expect(await list({ tenantId: null })).toEqual(expect.arrayContaining([a, b, c]));
    expect(await list({ tenantId: 'another' })).toEqual([]);
    expect(await list({ state: 'paused' })).toEqual([c]);
    expect(await list({ labels: [{ region: 'eu' }, { project: '7' }] })).toEqual([a]);
    expect(await list({ labels: [{ region: 'eu' }, { region: 'us' }] })).toEqual([]);
    expect(await list({ eventType: 'order.created' })).toEqual([a, b, c]);
    expect(await list({ eventType: 'order' })).toEqual([b]);
    expect(await list({ eventType: 'user.updated' })).toEqual([b, c]);
    expect(await list({ urlText: 'OTHER.example/a' })).toEqual([b]);
    expect(await list({ urlText: '%' })).toEqual([]);
  });

  test('is read forwards and backwards from where one stands', async () => {
    const made = [await create(), await create(), await create()].map(({ endpointId }) => endpointId);
    const beside = (at: string, direction: 'next' | 'prev') => ({ at, backwards: direction === 'prev' });
    expect(await list({}, { limit: 2 })).toEqual(made.slice(0, 2));
    expect(await list({}, beside(made[1]!, 'next'))).toEqual([made[2]]);
    expect(await list({}, beside(made[2]!, 'prev'))).toEqual([made[1], made[0]]);
  });
});

describe('an endpoint', () => {
  test('is found by its tenant alone', async () => {
    const { endpointId } = await create();
    expect(await findEndpoint(sql, tenantId, endpointId)).toMatchObject({
      eventTypes: ['order.*'],
      labels: { region: 'eu' },
      retryScheduleMs: [1_000, 4_000],
      state: 'active',
    });
    expect(await findEndpoint(sql, 'another', endpointId)).toBeNull();
    expect(await findEndpointOfAnyTenant(sql, endpointId)).toMatchObject({ tenantId });
  });

  test('is refused beyond the quota, also when two are made at once', async () => {
    await updateQuotas(sql, tenantId, { maxWebhooks: 1 });
    const results = await Promise.all([
      createEndpoint(sql, tenantId, endpoint()),
      createEndpoint(sql, tenantId, endpoint()),
    ]);
    expect(results.map((result) => result.kind).sort()).toEqual(['created', 'too_many']);
    expect(await createEndpoint(sql, 'nobody', endpoint())).toEqual({ kind: 'unknown_tenant' });
  });

  test('has a version from its creation to its closing, and a new one when it is enabled again', async () => {
    const { endpointId, change: created } = await create();
    const disabled = await changeEndpointState(sql, tenantId, endpointId, {
      state: 'disabled',
      reason: 'by hand',
    });
    const enabled = await changeEndpointState(sql, tenantId, endpointId, {
      state: 'active',
      reason: 'by hand',
    });
    const [tenant] = await loadTenants(sql, [tenantId]);
    expect(tenant!.endpoints[0]!.versions).toEqual([
      {
        validFrom: created,
        validUntil: disabled!.change,
        eventTypes: ['order.*'],
        labels: { region: 'eu' },
        filter: null,
      },
      {
        validFrom: enabled!.change,
        validUntil: null,
        eventTypes: ['order.*'],
        labels: { region: 'eu' },
        filter: null,
      },
    ]);
  });

  test('stays deleted, is loaded so that what waits can be cancelled, and is listed no more', async () => {
    const { endpointId } = await create();
    const kept = await create();
    await changeEndpointState(sql, tenantId, endpointId, { state: 'deleted', reason: 'by hand' });
    expect(
      await changeEndpointState(sql, tenantId, endpointId, { state: 'active', reason: 'by hand' }),
    ).toBeNull();
    const [tenant] = await loadTenants(sql, [tenantId]);
    expect(tenant!.endpoints.map(({ state }) => state).sort()).toEqual(['active', 'deleted']);
    expect(
      (await listEndpoints(sql, ofTenant(), { limit: 10, at: null, backwards: false })).map(
        (row) => row.endpointId,
      ),
    ).toEqual([kept.endpointId]);
  });
});

describe('a change', () => {
  test('moves its tenant to the next number of the sequence', async () => {
    const before = await currentSequence(sql);
    const { change } = await create();
    expect(change).toBe(before + 1);
    expect(await changesSince(sql, before)).toEqual({
      sequence: change,
      changes: [{ tenantId, revision: change }],
    });
  });

  test.each([
    ['quotas', () => sql`update quotas set max_dlq_size = 5 where tenant_id = ${tenantId}`],
    ['lanes', () => sql`update tenants set lanes = '{1,2}' where tenant_id = ${tenantId}`],
    ['endpoints', () => sql`update endpoints set url = 'https://b.example' where tenant_id = ${tenantId}`],
  ])('made to %s by SQL alone is a change as well', async (_name, byHand) => {
    await create();
    const before = await currentSequence(sql);
    await byHand();
    expect(await changesSince(sql, before)).toEqual({
      sequence: before + 1,
      changes: [{ tenantId, revision: before + 1 }],
    });
  });

  test('that is rolled back takes no number', async () => {
    const before = await currentSequence(sql);
    await expect(create({ labels: 'none' as never })).rejects.toThrow();
    expect(await currentSequence(sql)).toBe(before);
  });
});

describe('replicas', () => {
  test('learn how far the other live ones are', async () => {
    const before = await currentSequence(sql);
    const { change } = await create();
    expect(await pollReplica(sql, { replicaId: 'a', applied: before })).toMatchObject({
      sequence: change,
      changes: [{ tenantId, revision: change }],
      appliedByOthers: null,
    });
    expect(await pollReplica(sql, { replicaId: 'b', applied: change })).toMatchObject({
      sequence: change,
      changes: [],
      appliedByOthers: before,
    });
    await sql`update ingest_replicas set seen_at = now() - interval '3 seconds' where replica_id = 'a'`;
    expect(await pollReplica(sql, { replicaId: 'b', applied: change })).toMatchObject({
      appliedByOthers: null,
    });
    await removeReplica(sql, 'b');
    expect(await pollReplica(sql, { replicaId: 'c', applied: change })).toMatchObject({
      appliedByOthers: null,
    });
  });
});

describe('an API key', () => {
  test('is found by its hash until it is revoked', async () => {
    const keyHash = Buffer.alloc(32, 7);
    const before = await countOperatorKeys(sql);
    expect(await insertApiKey(sql, { keyId: 'key_1', keyHash, kind: 'operator', tenantId: null })).toBe(true);
    expect(await insertApiKey(sql, { keyId: 'key_2', keyHash, kind: 'operator', tenantId: null })).toBe(
      false,
    );
    expect(await findApiKey(sql, keyHash)).toEqual({
      keyId: 'key_1',
      kind: 'operator',
      tenantId: null,
      scopes: ['admin'],
      expiresAt: null,
    });
    expect(await countOperatorKeys(sql)).toBe(before + 1);
    expect(await revokeApiKey(sql, 'key_1')).toBe(true);
    expect(await findApiKey(sql, keyHash)).toBeNull();
  });
});
