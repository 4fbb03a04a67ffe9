import { deriveDeliveryId, mintEndpointId, mintEventId, standingOrder } from '@posthorn/contracts';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type AttemptFilter,
  addDays,
  type Database,
  type DeliveryFilter,
  ensurePartitions,
  findAttempt,
  keptDays,
  noteMissedAttemptDays,
  openDatabase,
  type PoolSql,
  recordAttemptDays,
  recordAttempts,
  recordDay,
  recordDeliveries,
  recordEvents,
  searchAttempts,
  searchDeliveries,
  searchEvents,
  type WalkedPage,
} from '../src/index.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 12);
const DAY_MS = 86_400_000;
const TENANT = 'searched';

/** One event each day with two deliveries: the first succeeds, the second fails every third day and is tried again. */
const DAYS = 20;
const ENDPOINTS = [mintEndpointId(NOW_MS), mintEndpointId(NOW_MS + 1)] as const;
const EVENTS = Array.from({ length: DAYS }, (_, i) => mintEventId(NOW_MS - (DAYS - 1 - i) * DAY_MS));
const deliveriesOf = (eventId: string) => ENDPOINTS.map((endpoint) => deriveDeliveryId(eventId, endpoint, 0));

let database: Database;
let sql: PoolSql;
beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 2, applicationName: 'test' });
  sql = database.sql;
  const today = new Date(NOW_MS).toISOString().slice(0, 10);
  await ensurePartitions(sql, addDays(today, -3), today);
  await writeAll();
});
afterAll(() => database.close());

async function writeAll(): Promise<void> {
  const attempts = EVENTS.flatMap((eventId, i) => {
    const [first, second] = deliveriesOf(eventId);
    const atMs = NOW_MS - (DAYS - 1 - i) * DAY_MS;
    const ok = { eventId, deliveryId: first!, endpoint: ENDPOINTS[0], atMs, status: 200, failure: null };
    if (i % 3 !== 0) return [ok, { ...ok, deliveryId: second!, endpoint: ENDPOINTS[1] }];
    const bad = { ...ok, deliveryId: second!, endpoint: ENDPOINTS[1], status: 503, failure: 'http_5xx' };
    // The second one a day and a half later: its row lies with its event.
    return [ok, bad, { ...bad, atMs: atMs + 1.5 * DAY_MS }];
  });
  const of = <T>(value: (row: (typeof attempts)[number]) => T): T[] => attempts.map(value);
  const nothing = of(() => null);
  const rows = {
    attemptId: of((row) => mintEventId(row.atMs)),
    deliveryId: of((row) => row.deliveryId),
    tenantId: of(() => TENANT),
    endpointId: of((row) => row.endpoint),
    eventId: of((row) => row.eventId),
    eventType: of(() => 'order.created'),
    run: of(() => 0),
    round: of(() => 0),
    attempt: of(() => 1),
    state: of((row) => (row.failure ? ('failed' as const) : ('success' as const))),
    startedAtMs: of((row) => row.atMs),
    durationMs: of(() => 12),
    status: of((row) => row.status),
    failure: of((row) => row.failure),
    error: nothing,
    responseBody: nothing,
    traceId: of(() => 'ab'.repeat(16)),
    responseHeaders: nothing,
    dnsMs: nothing,
    connectMs: nothing,
    tlsMs: nothing,
    firstByteMs: nothing,
    revision: nothing,
    retentionDays: of((row) => (recordDay(row.eventId) % 2 === 0 ? 30 : 90)),
    day: of((row) => recordDay(row.eventId)),
  };
  await recordAttempts(sql, rows);
  await recordAttemptDays(sql, rows);
  await recordDeliveriesAndEvents();
}

async function recordDeliveriesAndEvents(): Promise<void> {
  const rows = EVENTS.flatMap((eventId, i) =>
    deliveriesOf(eventId).map((deliveryId, e) => ({
      eventId,
      deliveryId,
      endpoint: ENDPOINTS[e]!,
      bad: e === 1 && i % 3 === 0,
    })),
  );
  const of = <T>(value: (row: (typeof rows)[number]) => T): T[] => rows.map(value);
  const state = of((row) => (row.bad ? ('failed' as const) : ('success' as const)));
  await recordDeliveries(sql, {
    tenantId: of(() => TENANT),
    deliveryId: of((row) => row.deliveryId),
    eventId: of((row) => row.eventId),
    endpointId: of((row) => row.endpoint),
    eventType: of(() => 'order.created'),
    run: of(() => 0),
    state,
    round: of(() => 0),
    attempt: of(() => 1),
    standing: state.map((each) => standingOrder({ state: each, round: 0, attempt: 1 })),
    nextDueAtMs: of(() => null),
    lastFailure: of((row) => (row.bad ? 'http_5xx' : null)),
    lastStatus: of((row) => (row.bad ? 503 : 200)),
    lastError: of(() => null),
    updatedAtMs: of(() => NOW_MS),
    retentionDays: of((row) => (recordDay(row.eventId) % 2 === 0 ? 30 : 90)),
    day: of((row) => recordDay(row.eventId)),
  });
  await recordEvents(sql, {
    tenantId: EVENTS.map(() => TENANT),
    eventId: [...EVENTS],
    clientEventId: EVENTS.map((_, i) => (i === 7 ? 'mine' : null)),
    type: EVENTS.map((_, i) => (i % 2 === 0 ? 'order.created' : 'user.updated')),
    labels: EVENTS.map((_, i) => `{"n":"${i % 4}"}`),
    contentType: EVENTS.map(() => 'application/json'),
    payload: EVENTS.map(() => Buffer.from('{}')),
    occurredAtMs: EVENTS.map(() => NOW_MS),
    acceptedAtMs: EVENTS.map(() => NOW_MS),
    revision: EVENTS.map(() => 1),
    retentionDays: EVENTS.map((eventId) => (recordDay(eventId) % 2 === 0 ? 30 : 90)),
    day: EVENTS.map(recordDay),
  });
}

/** All of a list, page by page. */
async function readAll<Row>(
  read: (page: {
    limit: number;
    direction: 'older' | 'newer';
    after: string | null;
    nowMs: number;
  }) => Promise<WalkedPage<Row>>,
  direction: 'older' | 'newer' = 'older',
  limit = 3,
): Promise<Row[]> {
  const all: Row[] = [];
  let after: string | null = null;
  do {
    const page: WalkedPage<Row> = await read({ limit, direction, after, nowMs: NOW_MS });
    expect(page.rows.length).toBeLessThanOrEqual(limit);
    all.push(...page.rows);
    after = page.readTo;
  } while (after !== null);
  return all;
}

const NEWEST_FIRST = EVENTS.flatMap(deliveriesOf).toSorted().toReversed();
const FAILED = EVENTS.filter((_, i) => i % 3 === 0)
  .map((eventId) => deliveriesOf(eventId)[1]!)
  .toSorted()
  .toReversed();

const deliveryIds = async (
  filter: DeliveryFilter,
  tenantId: string | null = TENANT,
  direction: 'older' | 'newer' = 'older',
): Promise<string[]> =>
  (await readAll((page) => searchDeliveries(sql, tenantId, filter, page), direction)).map(
    (row) => row.deliveryId,
  );

describe('deliveries', () => {
  test('are listed over all of their days, newest first, and back', async () => {
    expect(await deliveryIds({})).toEqual(NEWEST_FIRST);
    expect(await deliveryIds({}, TENANT, 'newer')).toEqual(NEWEST_FIRST.toReversed());
    expect(await deliveryIds({}, null)).toEqual(NEWEST_FIRST);
  });

  test.each<[string, DeliveryFilter, readonly string[]]>([
    ['state', { state: 'failed' }, FAILED],
    ['status class', { statusClass: '5xx' }, FAILED],
    ['failure class', { failure: 'http_5xx' }, FAILED],
    ['endpoint', { endpointIds: [ENDPOINTS[1]], failure: 'http_5xx' }, FAILED],
    ['endpoint of none', { endpointIds: [] }, []],
    ['both endpoints', { endpointIds: ENDPOINTS }, NEWEST_FIRST],
    ['event', { eventId: EVENTS[3]! }, deliveriesOf(EVENTS[3]!).toSorted().toReversed()],
    ['type', { eventType: 'nothing.like.it' }, []],
    ['time', { minCreatedAtMs: NOW_MS - DAY_MS, maxCreatedAtMs: NOW_MS }, NEWEST_FIRST.slice(0, 4)],
    ['answers that never came', { statusClass: 'none' }, []],
  ])('are found by %s', async (_name, filter, expected) => {
    expect(await deliveryIds(filter)).toEqual(expected);
  });

  test('of another tenant are not there', async () => {
    expect(await deliveryIds({}, 'another')).toEqual([]);
    expect(await deliveryIds({ eventId: EVENTS[3]! }, 'another')).toEqual([]);
    expect(await deliveryIds({ endpointIds: [ENDPOINTS[0]] }, 'another')).toEqual([]);
  });
});

const attemptTimes = async (filter: AttemptFilter, tenantId: string | null = TENANT): Promise<number[]> =>
  (await readAll((page) => searchAttempts(sql, tenantId, filter, page))).map(
    (row) => Math.round(((NOW_MS - row.startedAt.getTime()) / DAY_MS) * 10) / 10,
  );

describe('attempts', () => {
  test('are listed by when they were made, whatever the day of their event', async () => {
    const times = await attemptTimes({});
    expect(times).toHaveLength(DAYS * 2 + FAILED.length);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(await attemptTimes({}, null)).toEqual(times);
    expect(await attemptTimes({}, 'another')).toEqual([]);
  });

  test('are found by what came of them, by endpoint, by delivery and by time', async () => {
    const failed = await attemptTimes({ failure: 'http_5xx' });
    expect(failed).toHaveLength(FAILED.length * 2);
    expect(await attemptTimes({ statusClass: '5xx', endpointIds: [ENDPOINTS[1]] })).toEqual(failed);
    expect(await attemptTimes({ endpointIds: [ENDPOINTS[0]], statusClass: '5xx' })).toEqual([]);
    expect(await attemptTimes({ deliveryId: FAILED.at(-1)! })).toEqual([DAYS - 1 - 1.5, DAYS - 1]);
    expect(await attemptTimes({ minCreatedAtMs: NOW_MS - 0.6 * DAY_MS })).toEqual([-0.5, 0, 0]);
  });

  test('are found by their id alone, and not by another tenant', async () => {
    const [newest] = await readAll((page) => searchAttempts(sql, TENANT, { failure: 'http_5xx' }, page));
    expect(await findAttempt(sql, null, newest!.attemptId)).toMatchObject({
      attemptId: newest!.attemptId,
      tenantId: TENANT,
    });
    expect(await findAttempt(sql, 'another', newest!.attemptId)).toBeNull();
    expect(await findAttempt(sql, null, mintEventId(NOW_MS))).toBeNull();
  });
});

describe('events', () => {
  const found = async (
    filter: Parameters<typeof searchEvents>[2],
    tenantId: string | null = TENANT,
  ): Promise<number[]> =>
    (await readAll((page) => searchEvents(sql, tenantId, filter, page))).map((row) =>
      EVENTS.indexOf(row.eventId),
    );
  const every = (n: number, from: number): number[] =>
    EVENTS.map((_, i) => i)
      .filter((i) => i % n === from)
      .toReversed();

  test('are found by type, label, the id of their sender and the state of their deliveries', async () => {
    expect(await found({})).toEqual(EVENTS.map((_, i) => i).toReversed());
    expect(await found({ eventType: 'user.updated' })).toEqual(every(2, 1));
    expect(await found({ labels: { n: '3' } })).toEqual(every(4, 3));
    expect(await found({ clientEventId: 'mine' })).toEqual([7]);
    expect(await found({ state: 'failed' })).toEqual(every(3, 0));
    expect(await found({ state: 'failed', endpointIds: [ENDPOINTS[0]] })).toEqual([]);
    expect(await found({ state: 'failed', labels: { n: '0' } }, null)).toEqual([12, 0]);
    expect(await found({}, 'another')).toEqual([]);
  });
});

test('days of attempts that a recorder of the release before has not noted are noted later', async () => {
  const known = await sql`select attempt_day, day from attempt_days order by 1, 2`;
  await sql`delete from attempt_days where extract(day from day)::int % 2 = 0`;
  await noteMissedAttemptDays(sql, keptDays(NOW_MS));
  expect(await sql`select attempt_day, day from attempt_days order by 1, 2`).toEqual(known);
  expect(await noteMissedAttemptDays(sql, keptDays(NOW_MS))).toBe(0);
});
