import { deriveDeliveryId, mintEndpointId, mintEventId, standingOrder } from '@posthorn/contracts';
import { databaseUrl, waitUntil } from '@posthorn/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  advanceJob,
  cancelJob,
  claimJob,
  countDeadLettersBy,
  countMissing,
  createEndpoint,
  createJob,
  createTenant,
  type Database,
  deadLetterCounts,
  findDelivery,
  findJob,
  finishJob,
  inTransaction,
  type JobCursor,
  leaveJob,
  listJobs,
  MAX_OPEN_JOBS,
  MAX_RUNNING_JOBS,
  moveDeadLetterCounts,
  notePurges,
  openDatabase,
  type PoolSql,
  pageDeadLetters,
  pageMissingEvents,
  type ReplayJobFilters,
  recordHealth,
  recordLoad,
  recountDeadLetters,
  takePurgeStep,
  tenantLoad,
} from '../src/index.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 12);

let database: Database;
let sql: PoolSql;
let tenantId: string;
let endpointId: string;
let tenants = 0;

beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 4, applicationName: 'test' });
  sql = database.sql;
});
afterAll(() => database.close());

beforeEach(async () => {
  tenantId = `tenant-${++tenants}`;
  await createTenant(sql, { tenantId, name: '', lanes: [3], quotas: { maxDlqSize: 10 } });
  endpointId = await addEndpoint(['order.*'], {});
});

async function addEndpoint(eventTypes: string[], labels: Record<string, string>): Promise<string> {
  const added = mintEndpointId(NOW_MS);
  await createEndpoint(sql, tenantId, {
    endpointId: added,
    url: 'https://example.com/hook',
    description: '',
    eventTypes,
    labels,
    sealedSecrets: [],
    retryScheduleMs: null,
    attemptTimeoutMs: null,
  });
  return added;
}

interface AnEvent {
  readonly type?: string;
  readonly labels?: Record<string, string>;
  readonly revision?: number;
  readonly atMs?: number;
}

async function addEvent({ type = 'order.paid', labels = {}, revision = 1, atMs = NOW_MS }: AnEvent = {}) {
  const eventId = mintEventId(atMs);
  await sql`
    insert into events (tenant_id, event_id, type, labels, content_type, payload, occurred_at, accepted_at, revision,
                        retention_days, day)
    values (${tenantId}, ${eventId}::uuid, ${type}, ${sql.json(labels)}, 'application/json', '', now(),
            ${new Date(atMs)}, ${revision}, 30, ${new Date(atMs)}::date)`;
  return eventId;
}

type State = 'scheduled' | 'pending' | 'processing' | 'success' | 'failed';

async function addDelivery(
  eventId: string,
  state: State,
  over: { to?: string; round?: number; atMs?: number } = {},
) {
  const { to = endpointId, round = 0, atMs = NOW_MS } = over;
  const deliveryId = deriveDeliveryId(eventId, to, 0);
  await sql`
    insert into deliveries (tenant_id, delivery_id, event_id, endpoint_id, event_type, run, state, round, attempt,
                            standing, updated_at, retention_days, day)
    values (${tenantId}, ${deliveryId}, ${eventId}::uuid, ${to}, 'order.paid', 0, ${state}, ${round}, 1,
            ${standingOrder({ state, round, attempt: 1 })}::bigint, ${new Date(atMs)}, 30, ${new Date(NOW_MS)}::date)`;
  return deliveryId;
}

async function addDeadLetter(
  failedAtMs: number,
  over: { to?: string; reason?: string } = {},
): Promise<string> {
  const eventId = mintEventId(NOW_MS);
  const { to = endpointId, reason = 'attempts_exhausted' } = over;
  const deliveryId = deriveDeliveryId(eventId, to, 0);
  await sql`
    insert into dead_letters (delivery_id, tenant_id, endpoint_id, event_id, event_type, run, round, standing, reason,
                              last_failure, last_error, attempts, failed_at, topic, partition, "offset",
                              retention_days, day)
    values (${deliveryId}, ${tenantId}, ${to}, ${eventId}::uuid, 'order.paid', 0, 2, 1, ${reason}, 'timeout', '', 6,
            ${new Date(failedAtMs)}, 'dead-letters', 0, 0, 30, ${new Date(NOW_MS)}::date)`;
  return deliveryId;
}

/** Everything that a job would be given, page by page. */
async function walk<Row>(
  next: (cursor: JobCursor) => Promise<{ rows: Row[]; cursor: JobCursor }>,
): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: JobCursor = null;
  do {
    const page = await next(cursor);
    rows.push(...page.rows);
    // As a job keeps it.
    cursor = JSON.parse(JSON.stringify(page.cursor)) as JobCursor;
  } while (cursor !== null);
  return rows;
}

describe('a job', () => {
  const filters = { since: '2026-11-22T00:00:00Z', deliveryIds: ['a'] };
  const create = async (jobId = mintEventId(NOW_MS)) => {
    const wish = {
      jobId,
      tenantId,
      kind: 'dead_letters',
      ratePerSec: 5,
      total: 3,
      createdBy: 'key',
    } as const;
    return createJob(sql, { ...wish, filters });
  };
  /** The claim of this tenant's job: others of this file are done. */
  const claim = (owner: string, leaseMs = 60_000) => claimJob(sql, { owner, leaseMs });

  test('is run by one owner at a time, who keeps where it is', async () => {
    const jobId = mintEventId(NOW_MS);
    expect(await create(jobId)).toMatchObject({
      kind: 'created',
      row: { state: 'queued', filters, total: 3 },
    });
    expect(await claim('first')).toMatchObject({ jobId, cursor: null, state: 'running' });
    expect(await claim('second')).toBeNull();
    const step = { cursor: { at: 7 }, done: 2, refused: 1, leaseMs: 60_000 };
    expect(await advanceJob(sql, jobId, 'second', step)).toBe(false);
    expect(await advanceJob(sql, jobId, 'first', step)).toBe(true);
    await leaveJob(sql, jobId, 'first');
    expect(await claim('second')).toMatchObject({ jobId, cursor: { at: 7 }, done: 2, refused: 1 });
    await finishJob(sql, jobId, 'first', { state: 'failed', error: 'late' });
    await finishJob(sql, jobId, 'second', { state: 'done', error: null });
    expect(await findJob(sql, tenantId, jobId)).toMatchObject({ state: 'done', error: null });
    expect(await findJob(sql, 'another', jobId)).toBeNull();
    expect(await listJobs(sql, null, { limit: 1 })).toMatchObject([{ jobId }]);
  });

  test('whose owner is not heard of any more goes to another', async () => {
    const jobId = mintEventId(NOW_MS);
    await create(jobId);
    await claim('first', -1);
    expect(await claim('second')).toMatchObject({ jobId });
    await finishJob(sql, jobId, 'second', { state: 'done', error: null });
  });

  test('that is cancelled stops its owner, and is over', async () => {
    const jobId = mintEventId(NOW_MS);
    await create(jobId);
    await claim('first');
    expect(await cancelJob(sql, 'another', jobId)).toBe(false);
    expect(await cancelJob(sql, tenantId, jobId)).toBe(true);
    expect(await cancelJob(sql, tenantId, jobId)).toBe(false);
    const step = { cursor: null, done: 1, refused: 0, leaseMs: 60_000 };
    expect(await advanceJob(sql, jobId, 'first', step)).toBe(false);
    expect(await findJob(sql, tenantId, jobId)).toMatchObject({ state: 'cancelled', done: 0 });
  });

  test('is refused while too many of its tenant are open, also when they are asked for at once', async () => {
    await sql`
      insert into replay_jobs (job_id, tenant_id, kind, filters, rate_per_sec, total, created_by)
      select gen_random_uuid(), ${tenantId}, 'recover', '{}', 1, 0, '' from generate_series(2, ${MAX_OPEN_JOBS})`;
    const kinds = (await Promise.all([create(), create()])).map((result) => result.kind);
    expect(kinds.sort()).toEqual(['created', 'too_many']);
    await sql`update replay_jobs set state = 'done' where tenant_id = ${tenantId}`;
  });
});

test('long jobs of one tenant leave places to others, also when they are claimed at once', async () => {
  const owner = tenantId;
  const other = `${tenantId}-other`;
  await createTenant(sql, { tenantId: other, name: '', lanes: [3], quotas: {} });
  const add = (tenant: string, jobs: number, createdAt: string) => sql`
    insert into replay_jobs (job_id, tenant_id, kind, filters, rate_per_sec, total, created_by, created_at)
    select gen_random_uuid(), ${tenant}, 'recover', '{}', 1, 0, '', ${createdAt}::timestamptz
    from generate_series(1, ${jobs}::int)`;
  await add(owner, MAX_RUNNING_JOBS + 2, '2026-11-22T00:00:00Z');
  await add(other, 1, '2026-11-22T01:00:00Z');
  const claim = () => claimJob(sql, { owner: 'one', leaseMs: 60_000 });
  for (let running = 1; running < MAX_RUNNING_JOBS; running++) {
    expect(await claim()).toMatchObject({ tenantId: owner });
  }
  // The last place is taken, but not for others to see, when the next one asks.
  let answered = false;
  const waitsForALock = async () => {
    const [locks] = await sql<{ waiting: number }[]>`
      select count(*)::int as waiting from pg_locks
      where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())`;
    return locks!.waiting > 0;
  };
  const next = await sql.begin(async (transaction) => {
    expect(await claimJob(transaction, { owner: 'one', leaseMs: 60_000 })).toMatchObject({ tenantId: owner });
    const asked = claim().finally(() => {
      answered = true;
    });
    await waitUntil(async () => answered || (await waitsForALock()), { what: 'the next claim' });
    return { asked };
  });
  expect(await next.asked).toMatchObject({ tenantId: other });
  expect(await claim()).toBeNull();

  // One whose owner is not heard of any more takes its own place again, or leaves it to one that comes first.
  const lapse = async (createdAt: string) => {
    const [lapsed] = await sql<{ jobId: string }[]>`
      update replay_jobs set lease_until = now() - interval '1 second', created_at = ${createdAt}::timestamptz
      where job_id = (
        select job_id from replay_jobs where tenant_id = ${owner} and state = 'running' limit 1)
      returning job_id`;
    return lapsed!.jobId;
  };
  const first = await lapse('2026-11-21T00:00:00Z');
  expect(await claim()).toMatchObject({ jobId: first });
  expect(await claim()).toBeNull();
  await lapse('2026-11-22T02:00:00Z');
  expect(await claim()).toMatchObject({
    tenantId: owner,
    cursor: null,
    createdAt: new Date('2026-11-22T00:00:00Z'),
  });
  expect(await claim()).toBeNull();
  await sql`update replay_jobs set state = 'done' where tenant_id in (${owner}, ${other})`;
});

describe('dead letters for a job', () => {
  const all = (filters: ReplayJobFilters, untilMs = NOW_MS + 1_000, limit = 2) =>
    walk((cursor) => pageDeadLetters(sql, tenantId, filters, { cursor, limit, untilMs }));

  test('come oldest first, each once, and none that failed after the job began', async () => {
    const times = [30, 10, 20, 20, 20, 5_000];
    const ids = await Promise.all(times.map((at) => addDeadLetter(NOW_MS + at)));
    const rows = await all({});
    expect(rows.map((row) => row.deliveryId)).toHaveLength(5);
    expect(rows[0]).toMatchObject({ tenantId, deliveryId: ids[1], endpointId, run: 0, round: 2 });
    expect(new Set(rows.slice(1, 4).map((row) => row.deliveryId))).toEqual(new Set(ids.slice(2, 5)));
    expect(rows[4]!.deliveryId).toBe(ids[0]);
    expect(await countDeadLettersBy(sql, tenantId, {})).toBe(6);
  });

  test('are those that every filter takes', async () => {
    const other = await addEndpoint(['*'], {});
    const [first, second] = [await addDeadLetter(NOW_MS), await addDeadLetter(NOW_MS + 10, { to: other })];
    await addDeadLetter(NOW_MS + 20, { reason: 'circuit_open' });
    const taken = async (filters: ReplayJobFilters) => {
      const rows = await all(filters);
      expect(await countDeadLettersBy(sql, tenantId, filters)).toBe(rows.length);
      return rows.map((row) => row.deliveryId);
    };
    const at = (ms: number) => new Date(NOW_MS + ms).toISOString();
    expect(await taken({ endpointId: other })).toEqual([second]);
    expect(await taken({ reason: 'circuit_open' })).toHaveLength(1);
    expect(await taken({ eventType: 'order.sent' })).toEqual([]);
    expect(await taken({ since: at(0), until: at(10) })).toEqual([first]);
    expect(await taken({ deliveryIds: [first!, second!], since: at(5) })).toEqual([second]);
  });
});

describe('events that were never sent to an endpoint', () => {
  const missing = async (over: ReplayJobFilters = {}, limit = 2) => {
    const filters = { endpointId, ...over };
    const rows = await walk((cursor) => pageMissingEvents(sql, tenantId, filters, { cursor, limit }));
    expect(await countMissing(sql, tenantId, filters)).toBe(rows.length);
    return rows.map((row) => row.eventId);
  };

  test('are those that its subscription matches and that have no delivery to it', async () => {
    const hourAgo = NOW_MS - 3_600_000;
    const sent = await addEvent();
    await addDelivery(sent, 'failed');
    const elsewhere = await addEvent();
    await addDelivery(elsewhere, 'success', { to: mintEndpointId(NOW_MS) });
    await addEvent({ type: 'orders.paid' });
    const early = await addEvent({ atMs: hourAgo });
    const exact = await addEvent({ atMs: NOW_MS + 1, type: 'order.item.added' });
    expect(await missing()).toEqual([early, elsewhere, exact]);
    const window = { since: new Date(hourAgo + 1).toISOString(), until: new Date(NOW_MS + 1).toISOString() };
    expect(await missing(window)).toEqual([elsewhere]);
    expect(await missing({ eventType: 'order.item.added' })).toEqual([exact]);
  });

  test('carry all of its labels', async () => {
    const [eu] = [await addEvent({ labels: { region: 'eu', plan: 'a' } }), await addEvent()];
    endpointId = await addEndpoint(['*'], { region: 'eu' });
    expect(await missing()).toEqual([eu]);
  });

  test('are not those that may be on their way to the record', async () => {
    await addEvent({ atMs: Date.now(), revision: 2 ** 40 });
    expect(await missing()).toEqual([]);
    const before = await addEvent({ atMs: Date.now(), revision: 0 });
    expect(await missing()).toEqual([before]);
  });

  test("are the tenant's own", async () => {
    await addEvent();
    tenantId = `tenant-${++tenants}`;
    await createTenant(sql, { tenantId, name: '', lanes: [3] });
    endpointId = await addEndpoint(['*'], {});
    expect(await missing()).toEqual([]);
  });
});

describe('a purge', () => {
  const purge = async (scope: { endpointId?: string; eventId?: string } = {}, chunk = 2) => {
    const asked = { tenantId, revision: 5, endpointId: null, eventId: null, askedAtMs: NOW_MS + 1_000 };
    await notePurges(sql, [{ ...asked, ...scope }]);
    let marked = 0;
    for (;;) {
      const step = await takePurgeStep(sql, chunk, 0);
      if (step === null) return marked;
      marked += step.marked;
    }
  };
  const stateOf = async (deliveryId: string) => (await findDelivery(sql, tenantId, deliveryId))!.state;

  test('cancels what waits, in as many steps as it takes, and leaves what is over', async () => {
    const states: State[] = ['scheduled', 'pending', 'processing', 'success', 'failed'];
    const ids: string[] = [];
    for (const state of states) ids.push(await addDelivery(await addEvent(), state));
    expect(await purge()).toBe(3);
    expect(await Promise.all(ids.map(stateOf))).toEqual([
      'cancelled',
      'cancelled',
      'cancelled',
      'success',
      'failed',
    ]);
    expect(await purge()).toBe(0);
  });

  test('puts a row where nothing but a success can move it', async () => {
    const deliveryId = await addDelivery(await addEvent(), 'processing', { round: 3 });
    await purge();
    const [row] = await sql`select standing, last_error from deliveries where delivery_id = ${deliveryId}`;
    const standing = standingOrder({ state: 'cancelled', round: 3, attempt: 1 });
    expect(row).toMatchObject({ standing, lastError: 'cancelled_by_request' });
  });

  test('is of one endpoint, or of one event, where that is asked for', async () => {
    const other = mintEndpointId(NOW_MS);
    const [first, second] = [await addEvent(), await addEvent()];
    const ids = [await addDelivery(first, 'pending'), await addDelivery(second, 'pending', { to: other })];
    expect(await purge({ endpointId: other })).toBe(1);
    expect(await Promise.all(ids.map(stateOf))).toEqual(['pending', 'cancelled']);
    await sql`delete from purges`;
    expect(await purge({ eventId: first })).toBe(1);
    expect(await stateOf(ids[0]!)).toBe('cancelled');
  });

  test('leaves what was accepted or heard of after it', async () => {
    const later = await addDelivery(await addEvent({ revision: 5 }), 'pending');
    const replayed = await addDelivery(await addEvent(), 'pending', { round: 1, atMs: NOW_MS + 2_000 });
    expect(await purge()).toBe(0);
    expect([await stateOf(later), await stateOf(replayed)]).toEqual(['pending', 'pending']);
  });
});

describe('counts of dead letters', () => {
  test('are moved with the rows, known from half of the quota on, and say what was crossed', async () => {
    expect(await moveDeadLetterCounts(sql, new Map([[tenantId, 4]]))).toEqual([
      { tenantId, before: 0, after: 4, maxDlqSize: 10 },
    ]);
    expect((await deadLetterCounts(sql)).has(tenantId)).toBe(false);
    await moveDeadLetterCounts(sql, new Map([[tenantId, 1]]));
    expect((await deadLetterCounts(sql)).get(tenantId)).toBe(5);
    expect(await moveDeadLetterCounts(sql, new Map([[tenantId, 0]]))).toEqual([]);
  });

  test('are what the rows say, once these are counted anew', async () => {
    await addDeadLetter(NOW_MS);
    await moveDeadLetterCounts(sql, new Map([[tenantId, 9]]));
    await recountDeadLetters(sql);
    expect((await deadLetterCounts(sql)).has(tenantId)).toBe(false);
    await sql`delete from dead_letters where tenant_id = ${tenantId}`;
    await recountDeadLetters(sql);
    expect(await sql`select 1 from dead_letter_counts where tenant_id = ${tenantId}`).toHaveLength(0);
  });

  test('counted anew wait for who is moving them', async () => {
    const { promise: began, resolve: begin } = Promise.withResolvers<void>();
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
    const moving = inTransaction(sql, async (transaction) => {
      await moveDeadLetterCounts(transaction, new Map([[tenantId, 1]]));
      begin();
      await mayEnd;
    });
    await began;
    await addDeadLetter(NOW_MS);
    const recounting = recountDeadLetters(sql);
    end();
    await Promise.all([moving, recounting]);
    const [row] = await sql`select count from dead_letter_counts where tenant_id = ${tenantId}`;
    expect(row!.count).toBe(1);
  });
});

describe("an endpoint's health", () => {
  const HOUR_MS = 3_600_000;
  const note = (succeeded: number | null, first: number | null, last = first) => {
    const ms = (hour: number | null) => [hour === null ? null : NOW_MS + hour * HOUR_MS];
    const columns = {
      lastSuccessAtMs: ms(succeeded),
      firstFailureAtMs: ms(first),
      lastFailureAtMs: ms(last),
    };
    return recordHealth(sql, { endpointId: [endpointId], tenantId: [tenantId], ...columns }, 5 * HOUR_MS);
  };

  test('is failing too long when nothing but failures span the time', async () => {
    expect(await note(null, 0)).toEqual([]);
    expect(await note(null, 4)).toEqual([]);
    expect(await note(null, 5)).toEqual([{ endpointId, tenantId }]);
  });

  test('begins anew after a success, whenever that is heard of', async () => {
    await note(null, 0);
    await note(4, null);
    expect(await note(null, 6)).toEqual([]);
    expect(await note(null, 2)).toEqual([]);
    expect(await note(null, 11)).toEqual([{ endpointId, tenantId }]);
    expect(await note(12, null)).toEqual([]);
  });

  test('of one that is gone is not kept', async () => {
    endpointId = mintEndpointId(NOW_MS);
    expect(await note(null, 0, 9)).toEqual([]);
  });
});

test('the load of a tenant is what its workers said last, until they are silent', async () => {
  const say = (workerId: string, inFlight: number, queued: number, overflow = 0) =>
    recordLoad(sql, {
      tenantId: [tenantId],
      workerId: [workerId],
      inFlight: [inFlight],
      queued: [queued],
      overflow: [overflow],
    });
  expect(await tenantLoad(sql, tenantId)).toEqual({ inFlight: 0, queued: 0, overflow: 0 });
  await say('a', 9, 9);
  await say('a', 2, 3, 70);
  await say('b', 1, 0);
  expect(await tenantLoad(sql, tenantId)).toEqual({ inFlight: 3, queued: 3, overflow: 70 });
  await sql`update tenant_load set reported_at = now() - interval '6 seconds' where worker_id = 'a'`;
  expect(await tenantLoad(sql, tenantId)).toEqual({ inFlight: 1, queued: 0, overflow: 0 });
});
