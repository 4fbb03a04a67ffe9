import {
  decodeDelivery,
  decodeEvent,
  deriveEventId,
  type Headers,
  mintEndpointId,
} from '@posthorn/contracts';
import { createEndpoint, createTenant, listSetAside } from '@posthorn/db';
import type { TrackedRecord } from '@posthorn/kafka';
import { type SignalledList, waitUntil } from '@posthorn/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LANE, type Surroundings, setUp } from './setup.ts';

/** What a product writes into the topic itself, by any Kafka client. */
const HEADERS: Headers = {
  ce_specversion: '1.0',
  ce_id: 'order-17-created',
  ce_source: '/shop',
  ce_type: 'order.created',
  ce_tenant: 'acme',
};
const PARTITIONS = 2;

let around: Surroundings;
let deliveries: SignalledList<TrackedRecord>;
let webhookId: string;
let systemId: string;

beforeAll(async () => {
  around = await setUp({ INBOUND_PARTITIONS: String(PARTITIONS) });
  ({ endpointId: webhookId } = await around.addEndpoint(['order.*']));
  systemId = await addSystemEndpoint();
  await createTenant(around.database.sql, {
    tenantId: 'hasty',
    name: 'Hasty',
    lanes: [LANE],
    quotas: { maxEventsPerSec: 2 },
  });
  [deliveries] = await Promise.all([around.read(around.names.deliveries), around.startDispatcher()]);
});
afterAll(() => around.stop());

async function addSystemEndpoint(): Promise<string> {
  const endpointId = mintEndpointId(Date.now());
  const created = await createEndpoint(around.database.sql, 'posthorn', {
    endpointId,
    url: 'https://ops.example.com/',
    description: '',
    eventTypes: ['order.*'],
    labels: {},
    filter: { payload: { total: { $gte: 100 } } },
    scope: 'all_tenants',
    sealedSecrets: [],
    retryScheduleMs: null,
    attemptTimeoutMs: null,
  });
  expect(created.kind).toBe('created');
  return endpointId;
}

/** Into one partition, so that they keep their order. */
async function put(headers: Headers, payload: string | Buffer = '{}') {
  const value = Buffer.from(payload as string);
  const ack = await around.producer.send({
    topic: around.names.inbound,
    partition: 1,
    key: null,
    value,
    headers,
  });
  return { topic: around.names.inbound, partition: 1, offset: ack.offset, appendTimeMs: ack.appendTimeMs! };
}

const deliveriesOf = (eventId: string) => deliveries.items.filter(({ headers }) => headers.ce_id === eventId);

async function setAsideAt({ offset }: { readonly offset: number }) {
  return waitUntil(
    async () => (await listSetAside(around.database.sql)).find((row) => row.offset === offset),
    { what: `the row of offset ${offset}` },
  );
}

test('an event that a product wrote into the inbound topic is delivered like one that was posted', async () => {
  const payload = '{"total":100.00, "id":12345678901234567890}';
  const labels = '{"region":"eu"}';
  const place = await put({ ...HEADERS, ce_labels: labels, ce_time: '2026-11-22T12:00:00+01:00' }, payload);
  const eventId = deriveEventId(place.appendTimeMs, place);
  await deliveries.waitFor(() => deliveriesOf(eventId).length === 2, { what: 'both deliveries' });
  const own = deliveriesOf(eventId).find(({ key }) => key === 'acme')!;
  expect(own.value.toString()).toBe(payload);
  expect(own.partition).toBe(LANE);
  expect(decodeDelivery(own.headers).slots).toEqual([webhookId]);
  expect(decodeEvent(own.headers)).toMatchObject({
    eventId,
    tenantId: 'acme',
    labels: { region: 'eu' },
    occurredAt: '2026-11-22T11:00:00.000Z',
    contentType: 'application/json',
    retentionDays: 30,
  });
});

test("a system endpoint gets it in the operator's lane, told whose it is, if its filter wants it", async () => {
  const wanted = await put(HEADERS, '{"total":1e2}');
  const unwanted = await put(HEADERS, '{"total":99.99}');
  const eventId = deriveEventId(wanted.appendTimeMs, wanted);
  const other = deriveEventId(unwanted.appendTimeMs, unwanted);
  const done = () => deliveriesOf(eventId).length === 2 && deliveriesOf(other).length === 1;
  await deliveries.waitFor(done, { what: 'three deliveries' });
  expect(deliveriesOf(other)[0]!.key).toBe('acme');
  const system = deliveriesOf(eventId).find(({ key }) => key === 'posthorn')!;
  expect(system.partition).toBe(0);
  expect(decodeDelivery(system.headers).slots).toEqual([systemId]);
  expect(decodeEvent(system.headers)).toMatchObject({
    tenantId: 'posthorn',
    sourceTenantId: 'acme',
    eventId,
  });
});

describe('what ingest would have refused is set aside where it can be seen', () => {
  const { ce_tenant: _, ...withoutTenant } = HEADERS;
  test.each<[string, Headers, string | Buffer, RegExp]>([
    ['an unknown tenant', { ...HEADERS, ce_tenant: 'nobody' }, '{}', /^unknown_tenant$/],
    ["the operator's own tenant", { ...HEADERS, ce_tenant: 'posthorn' }, '{}', /^tenant_reserved$/],
    ['no tenant', withoutTenant, '{}', /^malformed: header ce_tenant is missing/],
    ['no type of event', { ...HEADERS, ce_type: 'Order Created' }, '{}', /^malformed: header ce_type/],
    ['a payload that is no JSON', HEADERS, '{"total":', /^malformed: the payload is not the JSON/],
    ['a payload that is no UTF-8', HEADERS, Buffer.from([0x22, 0xff, 0x22]), /^malformed: the payload/],
    ['a large payload', HEADERS, `"${'x'.repeat(256 * 1024)}"`, /^too_large: the payload has 262146 bytes/],
    ['labels that are none', { ...HEADERS, ce_labels: '[]' }, '{}', /^malformed: header ce_labels/],
  ])('%s', async (_what, headers, payload, reason) => {
    const row = await setAsideAt(await put(headers, payload));
    expect(row).toMatchObject({
      topic: around.names.inbound,
      partition: 1,
      reason: expect.stringMatching(reason),
    });
    expect(row!.headers.ce_type).toBe(headers.ce_type);
  });

  test('an event over the rate of its tenant', async () => {
    const places = await Promise.all([1, 2, 3].map(() => put({ ...HEADERS, ce_tenant: 'hasty' })));
    const row = await setAsideAt(places.at(-1)!);
    expect(row!.reason).toBe('over_quota: more than 2 events in a second (max_events_per_sec)');
  });
});
