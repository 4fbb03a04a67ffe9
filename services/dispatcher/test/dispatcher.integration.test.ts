import { randomBytes, randomUUID } from 'node:crypto';
import {
  decodeDelivery,
  decodeEvent,
  decodeJournal,
  encodeDelivery,
  encodeEvent,
  encodeWait,
  mintEndpointId,
  recordMac,
} from '@posthorn/contracts';
import { claimJob, createJob, findJob } from '@posthorn/db';
import type { TrackedRecord } from '@posthorn/kafka';
import { type SignalledList, waitUntil } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { macKeysOf } from '../src/phases.ts';
import type { Dispatcher } from '../src/service.ts';
import { eventMeta } from './fakes.ts';
import { LANE, type Surroundings, setUp } from './setup.ts';

let around: Surroundings;
let dispatcher: Dispatcher;
let deliveries: SignalledList<TrackedRecord>;
let journal: SignalledList<TrackedRecord>;

beforeAll(async () => {
  around = await setUp();
  [deliveries, journal, dispatcher] = await Promise.all([
    around.read(around.names.deliveries),
    around.read(around.names.journal),
    around.startDispatcher(),
  ]);
});
afterAll(() => around.stop());

const deliveriesOf = (eventId: string) => deliveries.items.filter((each) => each.headers.ce_id === eventId);
const untilDelivered = async (eventId: string, count = 1) => {
  await deliveries.waitFor(() => deliveriesOf(eventId).length >= count, {
    what: `${count} records of ${eventId}`,
  });
  return deliveriesOf(eventId);
};
const entriesOf = (eventId: string) =>
  journal.items
    .flatMap((each) => decodeJournal(each.value))
    .filter((each) => 'eventId' in each && each.eventId === eventId);

test('an event goes to the endpoints that match it at its revision, byte for byte', async () => {
  const first = await around.addEndpoint(['order.*'], { env: 'prod' });
  const second = await around.addEndpoint(['*']);
  await around.addEndpoint(['user.created']);
  const { revision } = await around.addEndpoint(['order.created'], { env: 'test' });
  await around.addEndpoint(['order.created']);
  const payload = Buffer.concat([
    Buffer.from('{"n":12345678901234567890, "n":1,"s":"é"}'),
    randomBytes(2_000),
  ]);
  const event = await around.postEvent({ labels: { env: 'prod' }, revision }, payload);

  const [delivery] = await untilDelivered(event.eventId);
  expect(delivery!.value.equals(payload)).toBe(true);
  expect(delivery).toMatchObject({ partition: LANE, key: 'acme' });
  expect(decodeEvent(delivery!.headers)).toEqual(event);
  expect(decodeDelivery(delivery!.headers)).toEqual({
    slots: [first.endpointId, second.endpointId],
    run: 0,
    round: 0,
    attempt: 1,
    lane: LANE,
  });
  await journal.waitFor(() => entriesOf(event.eventId).length > 0, { what: 'the journal entry' });
  expect(entriesOf(event.eventId)).toMatchObject([
    { kind: 'dispatched', endpointIds: [first.endpointId, second.endpointId] },
  ]);
});

test("tiers release their records at their due times on the broker's clock", async () => {
  const waits = [
    { tier: '50ms', delayMs: 50 },
    { tier: '50ms', delayMs: 45 },
    { tier: '200ms', delayMs: 200 },
    { tier: '50ms', delayMs: 420 },
  ];
  const retry = async ({ tier, delayMs }: (typeof waits)[number]) => {
    const event = eventMeta();
    const { appendTimeMs } = await around.producer.send({
      topic: around.names.tier({ name: tier, delayMs: 0 }),
      partition: 0,
      key: 'acme',
      value: Buffer.from('{"retry":true}'),
      headers: {
        ...encodeEvent(event),
        ...encodeDelivery({ slots: [mintEndpointId(1)], run: 0, round: 1, attempt: 2, lane: 2 }),
        ...encodeWait({ delayMs, returnTo: 'deliveries', bounces: 0 }),
      },
    });
    const dueMs = appendTimeMs! + delayMs;
    const [released] = await untilDelivered(event.eventId);
    // Where its endpoint belongs now, whatever lane it came from.
    expect(released!.partition).toBe(LANE);
    expect(decodeDelivery(released!.headers)).toMatchObject({ round: 1, attempt: 2 });
    expect(released!.headers).not.toHaveProperty('ph_delay_ms');
    return released!.timestampMs - dueMs;
  };
  const latenessMs = (await Promise.all(Array.from({ length: 5 }, () => waits.map(retry)).flat())).sort(
    (a, b) => a - b,
  );
  // The broker's clock is known to half a round trip, which a busy machine stretches.
  expect(latenessMs[0]).toBeGreaterThanOrEqual(-25);
  // The target, 100 ms for 99 in 100, is a benchmark's to hold: here a machine runs all tests at once.
  expect(latenessMs[latenessMs.length >> 1]).toBeLessThan(2_000);
});

test('a scheduled event waits on the tiers and is delivered at its time', async () => {
  const { endpointId, revision } = await around.addEndpoint(['*']);
  const deliverAtMs = Date.now() + 600;
  const event = await around.postEvent({ revision, deliverAtMs }, Buffer.from('{"later":true}'));
  await journal.waitFor(() => entriesOf(event.eventId).length > 0, { what: 'the journal entry' });
  expect(entriesOf(event.eventId)).toMatchObject([{ kind: 'dispatched', dueAtMs: deliverAtMs }]);
  const [delivery] = await untilDelivered(event.eventId);
  // Half a round trip of the broker's clock, and whole milliseconds.
  expect(delivery!.timestampMs).toBeGreaterThanOrEqual(deliverAtMs - 25);
  expect(decodeDelivery(delivery!.headers).slots).toContain(endpointId);
  expect(delivery!.headers).not.toHaveProperty('ph_delay_ms');
});

test('an event that was put aside comes back to events and is fanned out', async () => {
  const { revision } = await around.addEndpoint(['*']);
  const event = eventMeta({ revision });
  await around.producer.send({
    topic: around.names.tier({ name: '50ms', delayMs: 0 }),
    partition: 0,
    key: 'acme',
    value: Buffer.from('{"aside":true}'),
    headers: { ...encodeEvent(event), ...encodeWait({ delayMs: 50, returnTo: 'events', bounces: 1 }) },
  });
  const [delivery] = await untilDelivered(event.eventId);
  expect(delivery!.value.toString()).toBe('{"aside":true}');
  expect(delivery!.headers).not.toHaveProperty('ph_bounces');
});

test('records that nobody can read are set aside and the partition goes on', async () => {
  const before = await metric('posthorn_dispatcher_set_aside_total');
  const { revision } = await around.addEndpoint(['*']);
  const send = (topic: string, headers: Record<string, string>) =>
    around.producer.send({ topic, partition: 0, key: 'acme', value: Buffer.from([0xff]), headers });
  await send(around.names.events, { ce_id: 'nonsense' });
  await send(around.names.replay, { ph_slots: 'nobody' });
  await send(around.names.tier({ name: '50ms', delayMs: 0 }), {});
  await around.postEvent({ tenantId: 'nobody' });
  const event = await around.postEvent({ revision });
  await untilDelivered(event.eventId);
  await waitUntil(async () => (await metric('posthorn_dispatcher_set_aside_total')) - before === 4, {
    what: 'four records set aside',
  });
  const kept = () =>
    around.database.sql<{ reason: string }[]>`
      select reason from set_aside where topic like ${`${around.config.topicPrefix}%`}`;
  await waitUntil(async () => (await kept()).length === 4, { what: 'their rows' });
  expect((await kept()).map(({ reason }) => reason.split(':')[0]).sort()).toEqual([
    'malformed',
    'malformed',
    'malformed',
    'unknown_tenant',
  ]);
});

test('a dead letter that is replayed starts its next round once, however often its record is read', async () => {
  const event = eventMeta();
  const { endpointId } = await around.addEndpoint(['*']);
  const { deliveryId } = await around.recordDeadLetter(event, endpointId);
  const { sql } = around.database;
  const value = Buffer.from('{"dead":"letter"}');
  const headers = { ...encodeEvent(event), ph_slots: endpointId, ph_reason: 'attempts_exhausted' };
  const ph_mac = recordMac(macKeysOf(around.config)[0], headers, value);
  const replay = {
    topic: around.names.replay,
    partition: 0,
    key: 'acme',
    value,
    headers: { ...headers, ph_mac },
  };
  // The second as somebody puts it back where it lay, in a partition of his choice and with a header of his client.
  const topic = around.names.deadLetters;
  const again = { ...replay, topic, headers: { 'x-client': 'ui', ...replay.headers, ph_replay: 'true' } };
  await around.producer.sendAll([replay, { ...again, headers: replay.headers }, again]);
  const replays = async () => sql<{ state: string; reason: string | null; round: number }[]>`
    select state, reason, round from replays where event_id = ${event.eventId}::uuid order by source_offset`;
  await waitUntil(async () => (await replays()).length === 2, { what: 'two replays in the record' });
  const [delivery, ...more] = await untilDelivered(event.eventId);
  expect(more).toEqual([]);
  expect(decodeDelivery(delivery!.headers)).toEqual({
    slots: [endpointId],
    run: 0,
    round: 1,
    attempt: 1,
    lane: LANE,
  });
  expect(delivery!.value.toString()).toBe('{"dead":"letter"}');
  for (const name of ['ph_replay', 'ph_mac', 'x-client']) expect(delivery!.headers).not.toHaveProperty(name);
  const made = await replays();
  expect(made.map(({ state }) => state).sort()).toEqual(['dispatched', 'refused']);
  await journal.waitFor(() => entriesOf(event.eventId).length > 0, { what: 'the journal entry' });
  expect(entriesOf(event.eventId)).toMatchObject([{ kind: 'replayed', deliveryId, run: 0, round: 1 }]);
});

test('bulk replays ask for all that a filter finds, and for what was never sent', async () => {
  const { endpointId } = await around.addEndpoint(['*']);
  const [dead, missing] = [eventMeta(), eventMeta()];
  const payload = Buffer.from('{"n":12345678901234567890}');
  await around.recordDeadLetter(dead, endpointId, payload);
  await around.recordEvent(missing, payload);
  const { sql } = around.database;
  const run = async (kind: 'dead_letters' | 'missing') => {
    const jobId = randomUUID();
    const filters = { endpointId };
    const job = { jobId, tenantId: 'acme', kind, filters, ratePerSec: 1_000, total: 1, createdBy: 'key' };
    // It was taken by a dispatcher that died at once, before this one could look.
    await sql.begin(async (transaction) => {
      await createJob(transaction, job);
      await claimJob(transaction, { owner: 'one that died', leaseMs: 1 });
    });
    await waitUntil(async () => (await findJob(sql, 'acme', jobId))?.state === 'done', {
      what: `the job of ${kind}`,
    });
    return findJob(sql, 'acme', jobId);
  };
  expect(await run('dead_letters')).toMatchObject({ done: 1, refused: 0, error: null });
  const [again] = await untilDelivered(dead.eventId);
  expect(again!.value.equals(payload)).toBe(true);
  expect(decodeDelivery(again!.headers)).toMatchObject({ slots: [endpointId], run: 0, round: 1, attempt: 1 });
  expect(await run('missing')).toMatchObject({ done: 1, refused: 0, error: null });
  const [first] = await untilDelivered(missing.eventId);
  expect(decodeDelivery(first!.headers)).toMatchObject({ slots: [endpointId], run: 0, round: 0, attempt: 1 });
  await journal.waitFor(() => entriesOf(missing.eventId).length > 0, { what: 'the journal entry' });
  expect(entriesOf(missing.eventId)).toMatchObject([{ kind: 'dispatched', endpointIds: [endpointId] }]);
});

test('health and metrics are served, with the lag of each group', async () => {
  const health = await fetch(`http://127.0.0.1:${dispatcher.adminPort}/readyz`);
  expect(health.status).toBe(200);
  expect(await health.json()).toEqual({ status: 'ok', components: { kafka: 'up', postgres: 'up' } });
  const text = await (await fetch(`http://127.0.0.1:${dispatcher.adminPort}/metrics`)).text();
  for (const group of ['fan-out', 'release', 'replay']) {
    expect(text).toContain(`posthorn_dispatcher_lag_records{group="${around.config.topicPrefix}${group}"`);
  }
});

test('topics that break a promise are refused at the start, with every reason', async () => {
  await expect(around.startDispatcher({ LANES: '8', EVENT_PARTITIONS: '16' })).rejects.toThrow(
    /events has 2 partitions(.|\n)*deliveries has 4 partitions/,
  );
});

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${dispatcher.adminPort}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
