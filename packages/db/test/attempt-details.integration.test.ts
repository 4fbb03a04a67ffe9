import { mintEndpointId } from '@posthorn/contracts';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  changeEndpointState,
  createEndpoint,
  createTenant,
  type Database,
  findEndpointRequest,
  findOpenCircuits,
  openDatabase,
  recordCircuits,
  removeReplacedRequests,
  removeStaleCircuits,
  updateEndpoint,
} from '../src/index.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 12);

let database: Database;
let sql: Database['sql'];
let endpointId: string;
beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 2, applicationName: 'attempt-details-test' });
  sql = database.sql;
  await createTenant(sql, { tenantId: 'acme', name: '', lanes: [1] });
});
afterAll(() => database.close());
beforeEach(() => {
  endpointId = mintEndpointId(NOW_MS);
});

async function create(): Promise<number> {
  const made = await createEndpoint(sql, 'acme', {
    endpointId,
    url: 'https://first.example/hook',
    description: '',
    eventTypes: ['*'],
    labels: {},
    sealedSecrets: ['sealed'],
    retryScheduleMs: null,
    attemptTimeoutMs: null,
  });
  if (made.kind !== 'created') throw new Error(made.kind);
  return made.change;
}

describe('how requests were made', () => {
  const at = (revision: number | null, startedAt = new Date(), tenantId = 'acme') =>
    findEndpointRequest(sql, tenantId, { endpointId, revision, startedAt });

  test('is known for every revision, of headers by their names alone', async () => {
    const first = await create();
    const sealedHeaders = { 'x-token': 'v1.sealed', authorization: 'v1.sealed' };
    const { change } = (await updateEndpoint(sql, 'acme', endpointId, { method: 'PUT', sealedHeaders }))!;
    const original = {
      url: 'https://first.example/hook',
      method: 'POST',
      headerNames: [],
      tlsParts: [],
      signatures: ['v1'],
    };
    expect(await at(first)).toEqual(original);
    expect(await at(change! - 1)).toEqual(original);
    const changed = { ...original, method: 'PUT', headerNames: ['authorization', 'x-token'] };
    expect(await at(change!)).toEqual(changed);
    expect(await at(change! + 1_000)).toEqual(changed);
    expect(await at(first - 1)).toBeNull();
    expect(JSON.stringify(await sql`select * from endpoint_requests`)).not.toContain('sealed.');
  });

  test('says which signatures requests carried', async () => {
    const first = await create();
    const both = {
      signatures: ['v1' as const, 'v1a' as const],
      signingKey: { sealed: 'v2.sealed', publicKey: 'whpk_of_the_pair' },
    };
    const { change: keyed } = (await updateEndpoint(sql, 'acme', endpointId, both))!;
    const { change: alone } = (await updateEndpoint(sql, 'acme', endpointId, { signatures: ['v1a'] }))!;
    expect(await at(first)).toMatchObject({ signatures: ['v1'] });
    expect(await at(keyed!)).toMatchObject({ signatures: ['v1', 'v1a'] });
    expect(await at(alone!)).toMatchObject({ signatures: ['v1a'] });
  });

  test('cannot be by a key that is not there', async () => {
    await create();
    await expect(updateEndpoint(sql, 'acme', endpointId, { signatures: ['v1a'] })).rejects.toThrow(
      /endpoints_signing_keys_whole/,
    );
  });

  test('says what carried the authentication, and which certificates there were', async () => {
    const first = await create();
    const key = { auth: { type: 'api_key', header: 'x-key', value: '***' }, sealedAuth: 'v1.sealed' };
    const tls = { tls: { ca: 'PEM' }, sealedTls: 'v1.sealed' };
    const { change: keyed } = (await updateEndpoint(sql, 'acme', endpointId, { ...key, ...tls }))!;
    const bearer = {
      auth: { type: 'bearer', token: '***' },
      sealedAuth: 'v1.sealed',
      tls: null,
      sealedTls: null,
    };
    const { change: bearing } = (await updateEndpoint(sql, 'acme', endpointId, bearer))!;
    const none = { auth: null, sealedAuth: null };
    const { change: bare } = (await updateEndpoint(sql, 'acme', endpointId, none))!;
    expect(await at(first)).toMatchObject({ headerNames: [], tlsParts: [] });
    expect(await at(keyed!)).toMatchObject({ headerNames: ['x-key'], tlsParts: ['ca'] });
    expect(await at(bearing!)).toMatchObject({ headerNames: ['authorization'], tlsParts: [] });
    expect(await at(bare!)).toMatchObject({ headerNames: [], tlsParts: [] });
    expect(JSON.stringify(await sql`select * from endpoint_requests`)).not.toContain('sealed.');
  });

  test('is found by the time for an attempt that does not say its revision', async () => {
    await create();
    expect(await at(null)).toMatchObject({ url: 'https://first.example/hook' });
    expect(await at(null, new Date(Date.now() - 60_000))).toBeNull();
  });

  test("is another tenant's business in no way", async () => {
    const change = await create();
    expect(await at(change, new Date(), 'another')).toBeNull();
  });

  test('is noted of changes by SQL too, and not again where it stays', async () => {
    await create();
    await sql`update endpoints set url = 'https://second.example/' where endpoint_id = ${endpointId}`;
    await updateEndpoint(sql, 'acme', endpointId, { description: 'other', url: 'https://second.example/' });
    await changeEndpointState(sql, 'acme', endpointId, { state: 'disabled', reason: 'person' });
    const rows =
      await sql`select url from endpoint_requests where endpoint_id = ${endpointId} order by valid_from`;
    expect(rows.map(({ url }) => url)).toEqual(['https://first.example/hook', 'https://second.example/']);
  });

  test('is forgotten when no attempt is kept that was made so', async () => {
    await create();
    const replace = (url: string) => updateEndpoint(sql, 'acme', endpointId, { url });
    const age = (days: number) => sql`
      update endpoint_requests set changed_at = changed_at - ${days} * interval '1 day'
      where endpoint_id = ${endpointId}`;
    await age(200);
    expect(await removeReplacedRequests(sql)).toBe(0);
    await replace('https://second.example/');
    await age(90);
    expect(await removeReplacedRequests(sql)).toBe(0);
    await age(11);
    await replace('https://third.example/');
    expect(await removeReplacedRequests(sql)).toBe(1);
    expect(await at(1_000_000)).toMatchObject({ url: 'https://third.example/' });
  });
});

describe('a circuit', () => {
  const say = (workerId: string, changedAtMs: number, nextProbeAtMs: number | null) =>
    recordCircuits(sql, {
      endpointId: [endpointId],
      workerId: [workerId],
      tenantId: ['acme'],
      nextProbeAtMs: [nextProbeAtMs],
      changedAtMs: [changedAtMs],
    });
  const probeAt = async (tenantId = 'acme') =>
    (await findOpenCircuits(sql, tenantId, [endpointId])).get(endpointId)?.nextProbeAt.getTime();

  test('is open while one of its workers has it so, until the soonest of their probes', async () => {
    await say('a', NOW_MS, NOW_MS + 30_000);
    await say('b', NOW_MS, NOW_MS + 10_000);
    expect(await probeAt()).toBe(NOW_MS + 10_000);
    expect(await probeAt('another')).toBeUndefined();
    await say('b', NOW_MS + 10_100, null);
    expect(await probeAt()).toBe(NOW_MS + 30_000);
    await say('a', NOW_MS + 30_100, null);
    expect(await probeAt()).toBeUndefined();
  });

  test('is not opened again by an entry that is read once more', async () => {
    await say('a', NOW_MS, NOW_MS + 30_000);
    await say('a', NOW_MS + 30_100, null);
    await say('a', NOW_MS, NOW_MS + 30_000);
    expect(await probeAt()).toBeUndefined();
  });

  test('of which nobody has spoken for an hour is forgotten', async () => {
    await say('gone', Date.now() - 3_700_000, Date.now());
    await say('there', Date.now() - 3_500_000, Date.now() + 5);
    await removeStaleCircuits(sql);
    const rows = await sql`select worker_id from endpoint_circuits where endpoint_id = ${endpointId}`;
    expect(rows.map(({ workerId }) => workerId)).toEqual(['there']);
  });
});
