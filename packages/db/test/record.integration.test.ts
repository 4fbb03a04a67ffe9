import {
  type DeliveryState,
  dayOf,
  deriveDeliveryId,
  mintEndpointId,
  mintEventId,
  standingOrder,
} from '@posthorn/contracts';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  addDays,
  claimReplay,
  countDeadLetters,
  createTenant,
  type Database,
  type DeadLetterColumns,
  type DeliveryColumns,
  ensurePartitions,
  findDelivery,
  findEvent,
  findEventPayload,
  findStandings,
  inTransaction,
  isDataError,
  listAttempts,
  listDeadLetters,
  listDeliveriesOfEvent,
  listSetAside,
  openDatabase,
  type PoolSql,
  recordAttempts,
  recordDay,
  recordDeadLetters,
  recordDeliveries,
  recordEvents,
  refuseReplay,
  removeDeadLetters,
  setAside,
  trimDeadLetters,
} from '../src/index.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 12);
const DAY = Math.floor(NOW_MS / 86_400_000);

let database: Database;
let sql: PoolSql;
let tenantId: string;
let eventId: string;
let endpointId: string;
let tenants = 0;

beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 4, applicationName: 'test' });
  sql = database.sql;
});
afterAll(() => database.close());

beforeEach(() => {
  tenantId = `tenant-${++tenants}`;
  eventId = mintEventId(NOW_MS);
  endpointId = mintEndpointId(NOW_MS);
});

interface At {
  state: DeliveryState;
  round?: number;
  attempt?: number;
  run?: number;
  endpoint?: string;
}

function delivery(...rows: At[]): DeliveryColumns {
  const of = (row: At) => ({ round: 0, attempt: 0, run: 0, endpoint: endpointId, ...row });
  const full = rows.map(of);
  return {
    tenantId: full.map(() => tenantId),
    deliveryId: full.map((row) => deriveDeliveryId(eventId, row.endpoint, row.run)),
    eventId: full.map(() => eventId),
    endpointId: full.map((row) => row.endpoint),
    eventType: full.map(() => 'order.created'),
    run: full.map((row) => row.run),
    state: full.map((row) => row.state),
    round: full.map((row) => row.round),
    attempt: full.map((row) => row.attempt),
    standing: full.map(standingOrder),
    nextDueAtMs: full.map((row) => (row.state === 'processing' ? NOW_MS + 1_000 : null)),
    lastFailure: full.map(() => null),
    lastStatus: full.map(() => null),
    lastError: full.map(() => null),
    updatedAtMs: full.map((row) => NOW_MS + row.attempt),
    retentionDays: full.map(() => 30),
    day: full.map(() => DAY),
  };
}

function deadLetter(round: number, over: { endpoint?: string; failedAtMs?: number } = {}): DeadLetterColumns {
  const endpoint = over.endpoint ?? endpointId;
  return {
    deliveryId: [deriveDeliveryId(eventId, endpoint, 0)],
    tenantId: [tenantId],
    endpointId: [endpoint],
    eventId: [eventId],
    eventType: ['order.created'],
    run: [0],
    round: [round],
    standing: [standingOrder({ state: 'failed', round, attempt: 6 })],
    reason: ['attempts_exhausted'],
    lastFailure: ['http_5xx'],
    lastStatus: [503],
    lastError: ['say "no", {please}\\'],
    attempts: [6],
    failedAtMs: [over.failedAtMs ?? NOW_MS],
    topic: ['dead-letters'],
    partition: [1],
    offset: [42],
    retentionDays: [30],
    day: [DAY],
  };
}

const theDelivery = () => findDelivery(sql, tenantId, deriveDeliveryId(eventId, endpointId, 0));

describe('events', () => {
  const columns = (...payloads: Buffer[]) => ({
    tenantId: payloads.map(() => tenantId),
    eventId: payloads.map((_, i) => (i === 0 ? eventId : mintEventId(NOW_MS))),
    type: payloads.map(() => 'order.created'),
    labels: payloads.map(() => '{"a":"quote \\" comma , brace }"}'),
    contentType: payloads.map(() => 'application/json'),
    payload: payloads,
    occurredAtMs: payloads.map(() => NOW_MS),
    acceptedAtMs: payloads.map(() => NOW_MS + 123),
    revision: payloads.map(() => 9),
    retentionDays: payloads.map(() => 30),
    clientEventId: payloads.map((_, i) => (i === 0 ? 'order 42' : null)),
    day: payloads.map(() => DAY),
  });

  test('keep their bytes, whatever stands beside them in the batch', async () => {
    const payloads = [
      Buffer.from([0, 255, 92, 34, 10]),
      Buffer.alloc(0),
      Buffer.from('{"n":12345678901234567890}'),
    ];
    const rows = columns(...payloads);
    expect((await recordEvents(sql, rows)).count).toBe(3);
    for (const [i, payload] of payloads.entries()) {
      expect((await findEventPayload(sql, tenantId, rows.eventId[i]!))?.payload).toEqual(payload);
    }
  });

  test('are written once, also when they come twice in a batch', async () => {
    const rows = columns(Buffer.from('1'), Buffer.from('2'));
    rows.eventId[1] = rows.eventId[0]!;
    expect((await recordEvents(sql, rows)).count).toBe(1);
    expect((await recordEvents(sql, rows)).count).toBe(0);
    expect(await findEvent(sql, tenantId, eventId)).toEqual({
      eventId,
      type: 'order.created',
      labels: { a: 'quote " comma , brace }' },
      contentType: 'application/json',
      occurredAt: new Date(NOW_MS),
      acceptedAt: new Date(NOW_MS + 123),
      revision: 9,
      retentionDays: 30,
      clientEventId: 'order 42',
      payloadExpungedAt: null,
    });
  });

  test("are not found by another tenant's key", async () => {
    await recordEvents(sql, columns(Buffer.from('1')));
    expect(await findEvent(sql, 'another', eventId)).toBeNull();
  });
});

describe('deliveries', () => {
  test('rise to the greater standing and never fall', async () => {
    await recordDeliveries(sql, delivery({ state: 'processing', attempt: 2 }));
    await recordDeliveries(sql, delivery({ state: 'processing', attempt: 1 }));
    expect(await theDelivery()).toMatchObject({ state: 'processing', attempt: 2 });
    await recordDeliveries(sql, delivery({ state: 'success', attempt: 1 }));
    await recordDeliveries(sql, delivery({ state: 'pending', round: 3 }));
    expect(await theDelivery()).toMatchObject({
      state: 'success',
      attempt: 1,
      nextDueAt: null,
      createdAt: new Date(NOW_MS),
    });
  });

  test('of an event are listed, and those of its neighbours are not', async () => {
    const second = mintEndpointId(NOW_MS);
    await recordDeliveries(
      sql,
      delivery({ state: 'pending' }, { state: 'pending', endpoint: second }, { state: 'pending', run: 1 }),
    );
    const mine = eventId;
    eventId = mintEventId(NOW_MS);
    await recordDeliveries(sql, delivery({ state: 'pending' }));
    const listed = await listDeliveriesOfEvent(sql, tenantId, mine);
    expect(listed.map((row) => row.eventId)).toEqual([mine, mine, mine]);
    const [first, ...rest] = listed;
    const after = { limit: 10, afterId: first!.deliveryId };
    expect(await listDeliveriesOfEvent(sql, tenantId, mine, after)).toEqual(rest);
  });

  test('stand by endpoint at their latest run', async () => {
    const second = mintEndpointId(NOW_MS);
    await recordDeliveries(
      sql,
      delivery(
        { state: 'success' },
        { state: 'processing', run: 1, attempt: 1 },
        { state: 'failed', endpoint: second, round: 2, attempt: 6 },
      ),
    );
    const standings = await findStandings(sql, tenantId, eventId, [endpointId, second]);
    expect(standings).toHaveLength(2);
    expect(standings).toContainEqual({
      endpointId,
      deliveryId: deriveDeliveryId(eventId, endpointId, 1),
      run: 1,
      round: 0,
      state: 'processing',
    });
    expect(await findStandings(sql, tenantId, eventId, [second])).toMatchObject([
      { round: 2, state: 'failed' },
    ]);
    expect(await findStandings(sql, tenantId, eventId)).toHaveLength(2);
  });
});

test.each(['00000000-0000-7000-8000-000000000000', 'ffffffff-ffff-7fff-bfff-ffffffffffff'])(
  'an id from the ends of time (%s) is looked up like any other',
  async (id) => {
    expect(await findEvent(sql, tenantId, id)).toBeNull();
    expect(await listDeliveriesOfEvent(sql, tenantId, id)).toEqual([]);
    expect(await findDelivery(sql, tenantId, deriveDeliveryId(id, endpointId, 0))).toBeNull();
    expect(await removeDeadLetters(sql, [deriveDeliveryId(id, endpointId, 0)])).toEqual([]);
  },
);

describe('attempts', () => {
  test('are listed in the order they were made, with the bytes of the answer', async () => {
    const attempts = [2, 1, 1];
    const ids = [mintEventId(NOW_MS), mintEventId(NOW_MS)];
    const deliveryId = deriveDeliveryId(eventId, endpointId, 0);
    const same = <T>(value: T): T[] => attempts.map(() => value);
    const rows = {
      attemptId: [ids[0]!, ids[1]!, ids[1]!],
      deliveryId: same(deliveryId),
      tenantId: same(tenantId),
      endpointId: same(endpointId),
      eventId: same(eventId),
      eventType: same('order.created'),
      run: same(0),
      round: same(0),
      attempt: attempts,
      state: same('processing' as const),
      startedAtMs: same(NOW_MS),
      durationMs: same(12),
      status: same(503),
      failure: same('http_5xx'),
      error: same(null),
      responseBody: [Buffer.from([0, 1, 255]).toString('base64'), null, null],
      traceId: same('ab'.repeat(16)),
      responseHeaders: ['{"retry-after":"7","x-odd":["\\u0000","\\ud800"]}', null, null],
      dnsMs: [1, null, null],
      connectMs: [2, null, null],
      tlsMs: [3, null, null],
      firstByteMs: [4, null, null],
      revision: [17, null, null],
      retentionDays: same(30),
      day: same(DAY),
    };
    const added = await recordAttempts(sql, rows);
    expect(added.count).toBe(2);
    expect([ids[0]!, ids[1]!, ids[1]!, 'another'].map(added.take)).toEqual([true, true, false, false]);
    expect((await recordAttempts(sql, rows)).count).toBe(0);
    const listed = await listAttempts(sql, tenantId, deliveryId);
    expect(listed.map((row) => row.attempt)).toEqual([1, 2]);
    expect(listed[1]).toMatchObject({
      attemptId: ids[0],
      responseBody: Buffer.from([0, 1, 255]),
      error: null,
      responseHeaders: { 'retry-after': '7', 'x-odd': ['\0', '\ud800'] },
      dnsMs: 1,
      connectMs: 2,
      tlsMs: 3,
      firstByteMs: 4,
      revision: 17,
    });
    const unsaid = { responseHeaders: null, dnsMs: null, firstByteMs: null, revision: null };
    expect(listed[0]).toMatchObject(unsaid);
  });
});

describe('dead letters', () => {
  async function fail(round: number, over: { endpoint?: string; failedAtMs?: number } = {}): Promise<void> {
    await inTransaction(sql, async (transaction) => {
      const endpoint = over.endpoint ?? endpointId;
      await recordDeliveries(transaction, delivery({ state: 'failed', round, attempt: 6, endpoint }));
      await recordDeadLetters(transaction, deadLetter(round, over));
    });
  }
  async function replay(round: number): Promise<void> {
    await inTransaction(sql, async (transaction) => {
      const { stale } = await recordDeliveries(transaction, delivery({ state: 'pending', round }));
      await removeDeadLetters(transaction, stale);
    });
  }

  test('are listed newest first and by endpoint and type', async () => {
    const second = mintEndpointId(NOW_MS);
    await fail(0);
    await fail(0, { endpoint: second, failedAtMs: NOW_MS + 1 });
    const page = { limit: 10, offset: 0 };
    expect((await listDeadLetters(sql, tenantId, page)).map((row) => row.endpointId)).toEqual([
      second,
      endpointId,
    ]);
    expect(await listDeadLetters(sql, tenantId, { limit: 1, offset: 1 })).toMatchObject([{ endpointId }]);
    expect(await listDeadLetters(sql, tenantId, { ...page, endpointId: second })).toHaveLength(1);
    expect(await listDeadLetters(sql, tenantId, { ...page, eventType: 'other' })).toEqual([]);
    expect(await countDeadLetters(sql, tenantId)).toBe(2);
    expect(await countDeadLetters(sql, tenantId, { endpointId: second })).toBe(1);
    expect(await listDeadLetters(sql, tenantId, { ...page, endpointId })).toMatchObject([
      { lastError: 'say "no", {please}\\', offset: 42 },
    ]);
  });

  test('leave when their delivery is replayed and do not come back late', async () => {
    await fail(0);
    await replay(1);
    expect(await countDeadLetters(sql, tenantId)).toBe(0);
    await fail(0);
    expect(await countDeadLetters(sql, tenantId)).toBe(0);
    await fail(1);
    expect(await listDeadLetters(sql, tenantId, { limit: 10, offset: 0 })).toMatchObject([{ round: 1 }]);
  });

  test('written while a replay is under way wait for it, and the other way round', async () => {
    await recordDeliveries(sql, delivery({ state: 'processing', attempt: 5 }));
    await Promise.all([fail(0), replay(1)]);
    expect(await theDelivery()).toMatchObject({ state: 'pending', round: 1 });
    expect(await countDeadLetters(sql, tenantId)).toBe(0);
  });

  test('beyond the quota drop the oldest, where that is the policy', async () => {
    await createTenant(sql, {
      tenantId,
      name: '',
      lanes: [1],
      quotas: { maxDlqSize: 2, dlqPolicy: 'drop_oldest' },
    });
    const ids = [1, 2, 3].map(() => mintEndpointId(NOW_MS));
    for (const [i, endpoint] of ids.entries()) await fail(0, { endpoint, failedAtMs: NOW_MS + i });
    expect(await trimDeadLetters(sql, [tenantId])).toEqual([{ tenantId }]);
    const left = await listDeadLetters(sql, tenantId, { limit: 10, offset: 0 });
    expect(left.map((row) => row.endpointId)).toEqual([ids[2], ids[1]]);
    await sql`update quotas set dlq_policy = 'warn', max_dlq_size = 0 where tenant_id = ${tenantId}`;
    expect(await trimDeadLetters(sql, [tenantId])).toEqual([]);
  });
});

describe('a replay', () => {
  const wish = (offset: number, over: { round?: number } = {}) => ({
    replayId: mintEventId(NOW_MS),
    tenantId,
    eventId,
    endpointId,
    deliveryId: deriveDeliveryId(eventId, endpointId, 0),
    previousDeliveryId: deriveDeliveryId(eventId, endpointId, 0),
    run: 0,
    round: 1,
    source: { topic: `replay-${tenantId}`, partition: 0, offset },
    ...over,
  });

  test('is claimed once; its own source gets the same answer again', async () => {
    expect(await claimReplay(sql, wish(1))).toEqual({ kind: 'claimed' });
    expect(await claimReplay(sql, wish(1, { round: 2 }))).toMatchObject({
      kind: 'mine',
      replay: { round: 1, state: 'dispatched' },
    });
    expect(await claimReplay(sql, wish(2))).toEqual({ kind: 'taken' });
    expect(await claimReplay(sql, wish(3, { round: 2 }))).toEqual({ kind: 'claimed' });
  });

  test('that was refused says so to its source and blocks nobody', async () => {
    await refuseReplay(sql, wish(1), 'still under way');
    expect(await claimReplay(sql, wish(1))).toMatchObject({
      kind: 'mine',
      replay: { state: 'refused', reason: 'still under way' },
    });
    expect(await claimReplay(sql, wish(2))).toEqual({ kind: 'claimed' });
  });
});

test('a record that was set aside is listed once', async () => {
  const record = { topic: 'events', partition: 1, offset: 7, reason: 'no ce_id', headers: { ph_v: '9' } };
  await setAside(sql, record);
  await setAside(sql, record);
  expect(await listSetAside(sql)).toMatchObject([record]);
});

test('what Postgres refuses in the data is told from what may pass', async () => {
  const rows = delivery({ state: 'pending' });
  rows.eventId[0] = 'no uuid';
  const refused = await recordDeliveries(sql, rows).catch((error: unknown) => error);
  expect(isDataError(refused)).toBe(true);
  const missing = delivery({ state: 'pending' });
  missing.tenantId[0] = undefined as never;
  expect(isDataError(await recordDeliveries(sql, missing).catch((error: unknown) => error))).toBe(true);
  const other = openDatabase({ url: await databaseUrl(), pool: 1, applicationName: 'test' });
  const gone = await other.sql`select pg_terminate_backend(pg_backend_pid())`.catch(
    (error: unknown) => error,
  );
  await other.close(0);
  expect(gone).toBeInstanceOf(Error);
  expect(isDataError(gone)).toBe(false);
});

describe('a look-up by id', () => {
  beforeAll(() => ensurePartitions(sql, addDays(dayOf(mintEventId(NOW_MS)), -2), dayOf(mintEventId(NOW_MS))));

  test.each([
    [
      'events',
      () =>
        sql`explain select from events where event_id = ${eventId}::uuid and day = '1970-01-01'::date + ${recordDay(eventId)}::int`,
    ],
    [
      'deliveries',
      () =>
        sql`explain select from deliveries where delivery_id = ${`${eventId}_x`} and day = '1970-01-01'::date + ${recordDay(eventId)}::int`,
    ],
    [
      'attempts',
      () =>
        sql`explain select from attempts where event_id = ${eventId}::uuid and day = '1970-01-01'::date + ${recordDay(eventId)}::int`,
    ],
  ])('in %s reads one day of each retention class, by index', async (table, explain) => {
    const plan = (await explain()).map((row) => Object.values(row)[0] as string).join('\n');
    const scanned = plan.match(/(?<= on )\w+/g);
    expect(scanned).toEqual([7, 30, 90].map((days) => `${table}_${days}_p20261122`));
    expect(plan).not.toContain('Seq Scan');
  });
});
