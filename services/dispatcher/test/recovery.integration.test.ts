import { randomBytes } from 'node:crypto';
import { decodeDelivery, decodeWait, encodeEvent, mintEventId, tenantPartition } from '@posthorn/contracts';
import { createJournalWriter, type JournalWriter } from '@posthorn/journal';
import type { TrackedRecord } from '@posthorn/kafka';
import { createLogger, createMetrics, systemClock } from '@posthorn/runtime';
import { parseKeyRing } from '@posthorn/secrets';
import { createTenantConfigs } from '@posthorn/tenant-config';
import { type SignalledList, waitUntil } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDispatcherMetrics } from '../src/metrics.ts';
import { type PhaseContext, wireFanOut } from '../src/phases.ts';
import { createBrokerClock } from '../src/release/broker-clock.ts';
import { noTracing } from './fakes.ts';
import { type Surroundings, setUp } from './setup.ts';

let around: Surroundings;
let deliveries: SignalledList<TrackedRecord>;
let revision: number;

beforeAll(async () => {
  around = await setUp();
  ({ revision } = await around.addEndpoint(['*']));
  deliveries = await around.read(around.names.deliveries);
});
afterAll(() => around.stop());

const deliveriesOf = (eventId: string) => deliveries.items.filter((each) => each.headers.ce_id === eventId);
const untilDelivered = (eventId: string, count: number) =>
  deliveries.waitFor(() => deliveriesOf(eventId).length >= count, { what: `${count} records of ${eventId}` });

function wire(journal: JournalWriter) {
  const log = createLogger('dispatcher', 'silent');
  const { database, config, kafka, producer } = around;
  const keyRing = parseKeyRing(randomBytes(32).toString('base64'));
  const context: PhaseContext = {
    config,
    kafka,
    producer,
    journal,
    database,
    log,
    configs: createTenantConfigs({ database, keyRing, log, clock: systemClock }),
    brokerClock: createBrokerClock(() => systemClock.monotonicMs()),
    clock: systemClock,
    tracing: noTracing,
    metrics: createDispatcherMetrics(createMetrics('dispatcher')),
    onFatal: (error) => {
      throw error;
    },
  };
  return wireFanOut(context).consumer;
}

test('a process that ends between publish and commit makes the same deliveries again, and no others', async () => {
  const { names, producer, config, admin } = around;
  const never = { append: () => new Promise<void>(() => undefined) } as unknown as JournalWriter;
  const first = wire(never);
  await first.start();
  const event = await around.postEvent({ revision }, Buffer.from('{"once": 1.0}'));
  await untilDelivered(event.eventId, 1);
  await first.stop();

  const partitions = config.journalPartitions;
  const second = wire(createJournalWriter({ producer, topic: names.journal, partitions }));
  await second.start();
  await untilDelivered(event.eventId, 2);
  const [before, after] = deliveriesOf(event.eventId);
  expect(decodeDelivery(after!.headers)).toEqual(decodeDelivery(before!.headers));
  expect(after!.value.equals(before!.value)).toBe(true);
  const group = `${config.topicPrefix}fan-out`;
  const partition = tenantPartition('acme', config.eventPartitions);
  await waitUntil(
    async () => {
      const committed = await admin.fetchCommitted(group, [names.events]);
      return committed.some((each) => each.partition === partition && each.offset === 1);
    },
    { what: 'the commit behind the event' },
  );
  await second.stop();

  const third = wire(createJournalWriter({ producer, topic: names.journal, partitions }));
  await third.start();
  const next = await around.postEvent({ revision });
  await untilDelivered(next.eventId, 1);
  expect(deliveriesOf(event.eventId)).toHaveLength(2);
  await third.stop();
});

test('dispatchers that come and go share the work: every event once', async () => {
  const events: string[] = [];
  const post = async (count: number) => {
    const posted = await Promise.all(
      Array.from({ length: count }, () => {
        const { names, producer, config } = around;
        const eventId = mintEventId(Date.now());
        events.push(eventId);
        return producer.send({
          topic: names.events,
          partition: events.length % config.eventPartitions,
          key: 'acme',
          value: Buffer.from('{}'),
          headers: encodeEvent({ ...baseEvent(), eventId }),
        });
      }),
    );
    return posted;
  };
  const first = await around.startDispatcher();
  await post(200);
  const [second] = await Promise.all([around.startDispatcher(), post(200)]);
  await Promise.all([first.lifecycle.stop('the test says so'), post(200)]);
  await post(200);
  await deliveries.waitFor(() => events.every((id) => deliveriesOf(id).length > 0), {
    what: 'all events delivered',
  });
  await second.lifecycle.stop('the test says so');
  expect(events.filter((id) => deliveriesOf(id).length !== 1)).toEqual([]);
}, 30_000);

test('with postgres away an event of an unknown tenant waits on a tier, and comes when postgres does', async () => {
  const tier = around.config.tiers[1]!;
  const aside = await around.read(around.names.tier(tier));
  const away = await around.startDispatcher({
    DATABASE_URL: 'postgres://nobody:nothing@127.0.0.1:1/none',
    CONFIG_MAX_WAIT_MS: '100',
  });
  const event = await around.postEvent({ revision }, Buffer.from('{"aside": true}'));
  const asideOf = () => aside.items.filter((each) => each.headers.ce_id === event.eventId);
  await aside.waitFor(() => asideOf().length > 0, { what: 'the event on a tier' });
  const [waiting] = asideOf();
  expect(decodeWait(waiting!.headers)).toMatchObject({ returnTo: 'events', bounces: 1 });
  expect(deliveriesOf(event.eventId)).toEqual([]);
  await away.lifecycle.stop('postgres is back');

  await around.startDispatcher();
  await untilDelivered(event.eventId, 1);
  expect(deliveriesOf(event.eventId)[0]!.value.toString()).toBe('{"aside": true}');
}, 30_000);

const baseEvent = () => ({
  eventId: '',
  tenantId: 'acme',
  type: 'order.created',
  labels: {},
  occurredAt: '2026-01-01T00:00:00.000Z',
  contentType: 'application/json',
  revision,
  retentionDays: 30,
  traceparent: '',
});
