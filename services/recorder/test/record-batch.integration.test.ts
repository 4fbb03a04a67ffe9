import { deriveDeliveryId } from '@posthorn/contracts';
import {
  countDeadLetters,
  createTenant,
  findEventPayload,
  findOpenCircuits,
  findRecordedOffset,
  listAttempts,
  listDeadLetters,
  type PoolSql,
  removeOldAttemptDays,
  searchAttempts,
  tenantLoad,
} from '@posthorn/db';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Item } from '../src/consume/read-record.ts';
import { gatherRows, recordBatch } from '../src/record-batch.ts';
import {
  attempted,
  cancelled,
  circuit,
  deadLetter,
  deadLettered,
  dispatched,
  load,
  NOW_MS,
  newSubject,
  replayed,
  type Subject,
  TENANT,
} from './entries.ts';
import { type Databases, openDatabases } from './open-databases.ts';

let databases: Databases;
let sql: PoolSql;
beforeAll(async () => {
  databases = await openDatabases();
  sql = databases.database.sql;
});
afterAll(() => databases.close());

const write = (...items: Item[]) => recordBatch(sql, gatherRows(items));

async function rowsOf({ eventId, endpointId }: Subject) {
  const deliveryId = deriveDeliveryId(eventId, endpointId, 0);
  const [delivery] = await sql`
    select state, round, attempt, standing, next_due_at, last_failure, last_status, last_error, updated_at
    from deliveries where delivery_id = ${deliveryId}`;
  const deadLetters = await sql`
    select round, standing, attempts, failed_at, "offset" from dead_letters where delivery_id = ${deliveryId}`;
  return { delivery: { ...delivery }, deadLetters: deadLetters.map((row) => ({ ...row })) };
}

const which = fc.record({ round: fc.integer({ min: 0, max: 2 }), attempt: fc.integer({ min: 1, max: 3 }) });
const step: fc.Arbitrary<(subject: Subject) => Item> = fc.oneof(
  fc.constant((subject: Subject) => dispatched(subject)),
  fc.tuple(fc.constantFrom('success', 'processing', 'failed'), which, fc.constantFrom(500, 503)).map(
    ([state, at, status]) =>
      (subject: Subject) =>
        attempted(subject, state as never, at, { status }),
  ),
  which.map((at) => (subject: Subject) => cancelled(subject, at)),
  which.map((at) => (subject: Subject) => replayed(subject, at)),
  which.map((at) => (subject: Subject) => deadLetter(subject, at)),
  which.map((at) => (subject: Subject) => deadLettered(subject, at)),
);
/** A journal with everything in it twice, in another order, cut into batches at random. */
const arrivals = fc
  .array(step, { minLength: 1, maxLength: 7 })
  .chain((steps) =>
    fc.tuple(
      fc.constant(steps),
      fc.shuffledSubarray([...steps, ...steps], { minLength: steps.length * 2 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 4 })),
    ),
  );

test('whatever the order of arrival, the rows are those of the journal written as one batch', async () => {
  await fc.assert(
    fc.asyncProperty(arrivals, async ([steps, shuffled, cuts]) => {
      const [whole, pieces] = [newSubject(), newSubject()];
      await write(...steps.map((make) => make(whole)));
      const items = shuffled.map((make) => make(pieces));
      while (items.length > 0) await write(...items.splice(0, cuts.next().value));
      expect(await rowsOf(pieces)).toEqual(await rowsOf(whole));
    }),
    { numRuns: 40 },
  );
});

describe('a dead letter', () => {
  test('is there while its delivery is failed, and gone once it is replayed', async () => {
    const subject = newSubject();
    await write(attempted(subject, 'failed', { attempt: 6 }), deadLetter(subject));
    expect((await rowsOf(subject)).deadLetters).toHaveLength(1);
    expect(await write(replayed(subject))).toMatchObject({ replayed: 1 });
    expect((await rowsOf(subject)).deadLetters).toEqual([]);
    expect(await write(deadLetter(subject))).toMatchObject({ deadLetters: 0 });
    await write(deadLetter(subject, { round: 1 }));
    expect((await rowsOf(subject)).deadLetters).toMatchObject([{ round: 1 }]);
  });

  test('leaves when a twin of its last attempt turns out to have succeeded', async () => {
    const subject = newSubject();
    await write(deadLetter(subject));
    await write(attempted(subject, 'success', { attempt: 6 }));
    expect(await rowsOf(subject)).toMatchObject({ delivery: { state: 'success' }, deadLetters: [] });
  });

  test('pushes out the oldest of a tenant that wants it so', async () => {
    const quotas = { maxDlqSize: 3, dlqPolicy: 'drop_oldest' } as const;
    await createTenant(databases.owner.sql, { tenantId: TENANT, name: '', lanes: [1], quotas });
    await sql`delete from dead_letters`;
    const subjects = Array.from({ length: 5 }, () => newSubject());
    const letters = subjects.map((subject, i) => deadLetter(subject, { attempt: i + 1 }));
    expect(await write(...letters)).toMatchObject({ deadLetters: 5, trimmed: 2 });
    expect(await countDeadLetters(sql, TENANT)).toBe(3);
    const left = await listDeadLetters(sql, TENANT, { limit: 10, offset: 0 });
    expect(left.map((row) => row.eventId)).toEqual(
      subjects
        .slice(2)
        .reverse()
        .map((each) => each.eventId),
    );
  });
});

test('an attempt is written with what it tells of its request, and beside it the open circuit', async () => {
  const subject = newSubject();
  const opened = circuit({ endpointId: subject.endpointId });
  const details = { responseHeaders: { 'x-a': ['1', '2'] }, phases: { firstByteMs: 9 }, revision: 12 };
  const entry = attempted(subject, 'processing', {}, details);
  await write(entry, opened, load({ overflow: 41 }));
  await write(entry, opened, load({ overflow: 42 }));
  expect(await listAttempts(sql, TENANT, entry.deliveryId)).toMatchObject([
    { ...details.phases, responseHeaders: details.responseHeaders, dnsMs: null, revision: 12 },
  ]);
  const circuits = await findOpenCircuits(sql, TENANT, [subject.endpointId]);
  expect(circuits.get(subject.endpointId)?.nextProbeAt.getTime()).toBe(opened.nextProbeAtMs);
  expect(await tenantLoad(sql, TENANT)).toMatchObject({ overflow: 42 });
});

test('an event is written with its bytes', async () => {
  const subject = newSubject();
  const payload = Buffer.from('{"amount": 9007199254740993, "amount": 1e400}');
  const item = deadLetter(subject);
  const place = { topic: 'events', partition: 3, offset: 7 };
  await write({ kind: 'event', event: item.event, labels: '{"region":"eu"}', payload, ...place });
  expect(await findEventPayload(sql, TENANT, subject.eventId)).toMatchObject({
    payload,
    labels: { region: 'eu' },
    acceptedAt: new Date(NOW_MS),
  });
});

test('the record knows how far it has come in each partition of events, and never goes back', async () => {
  const pass = (partition: number, offset: number) =>
    write({ kind: 'passed', topic: 'offsets', partition, offset });
  expect(await findRecordedOffset(sql, 'offsets', 0)).toBeNull();
  await pass(0, 41);
  await pass(1, 5);
  await pass(0, 12);
  expect(await findRecordedOffset(sql, 'offsets', 0)).toBe(42);
  expect(await findRecordedOffset(sql, 'offsets', 1)).toBe(6);
});

describe('an attempt', () => {
  const newest = async (eventId: string) => {
    const page = { limit: 10, direction: 'older', after: null, nowMs: NOW_MS } as const;
    const { rows } = await searchAttempts(
      databases.owner.sql,
      TENANT,
      { minCreatedAtMs: NOW_MS, maxCreatedAtMs: NOW_MS },
      page,
    );
    return rows.filter((row) => row.eventId === eventId);
  };

  test('is found by when it was made, though its row lies with an event of days ago', async () => {
    const subject = newSubject(NOW_MS - 3 * 86_400_000);
    await write(attempted(subject, 'success', {}, { atMs: NOW_MS }));
    expect(await newest(subject.eventId)).toMatchObject([{ eventType: 'order.created', state: 'success' }]);
  });

  test('is not looked for in days that are dropped', async () => {
    const subject = newSubject(NOW_MS - 5 * 86_400_000);
    await write(attempted(subject, 'success', {}, { atMs: NOW_MS }));
    const today = Math.floor(NOW_MS / 86_400_000);
    expect(await removeOldAttemptDays(sql, today - 4)).toBe(1);
    expect(await newest(subject.eventId)).toEqual([]);
  });
});
