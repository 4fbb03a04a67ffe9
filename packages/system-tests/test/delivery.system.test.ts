import { createPublicKey, randomBytes, verify } from 'node:crypto';
import {
  type Arrival,
  connectionsOf,
  type Receiver,
  securedInfra,
  startReceiver,
  waitUntil,
} from '@posthorn/testkit';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CLEAN,
  type DeliveryView,
  judge,
  type LogLine,
  promised,
  SERVICES,
  type ServiceName,
  type System,
  sendLoad,
  startSystem,
} from '../src/index.ts';
import { DENIED_BLOCK, testEgress } from './test-egress.ts';
import { testGuides } from './test-guides.ts';
import { testSecrets } from './test-secrets.ts';

let system: System;
let collector: Receiver;
const receivers: Receiver[] = [];

const TIERS = '50ms,200ms';
const ringKeys = [0, 1].map(() => randomBytes(32).toString('base64'));

beforeAll(async () => {
  collector = await receiver();
  // Nothing is sampled but what comes with a sampled traceparent.
  const tracing = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url(''),
    OTEL_BSP_SCHEDULE_DELAY: '100',
    TRACE_SAMPLE_PERCENT: '0',
  };
  const environment = { ...tracing, SECRETS_KEYS: ringKeys.join() };
  const perService = { worker: { EGRESS_DENIED_CIDRS: DENIED_BLOCK } };
  system = await startSystem({ environment, perService, secured: true, tiers: TIERS });
});

afterAll(async () => {
  await system?.close();
  await Promise.all(receivers.map((receiver) => receiver.close()));
});

async function receiver(): Promise<Receiver> {
  const started = await startReceiver();
  receivers.push(started);
  return started;
}

const deliveryOf = async (id: string): Promise<DeliveryView> =>
  (await system.api.call<DeliveryView>('GET', `/v1/deliveries/${id}`)).body;

const deliveryIn = (id: string, state: string): Promise<DeliveryView> =>
  waitUntil(
    async () => {
      const delivery = await deliveryOf(id);
      return delivery.state === state && delivery;
    },
    { what: `delivery ${id} to be ${state}` },
  );

test('an event reaches every endpoint that matches, byte for byte and signed, and no other', async () => {
  const inbox = await receiver();
  const tenant = await system.api.createTenant();
  const labels = { region: 'eu' };
  const make = (path: string, fields: Record<string, unknown>) =>
    system.api.createWebhook(tenant, { url: inbox.url(path), ...fields });
  const matching = [
    await make('/all', { event_types: ['*'], signatures: ['v1', 'v1a'] }),
    await make('/prefix', { event_types: ['order.*'] }),
    await make('/labelled', { event_types: ['order.created'], labels }),
  ];
  await make('/other-label', { event_types: ['order.created'], labels: { region: 'us' } });
  await make('/other-type', { event_types: ['invoice.*'] });

  const payload = '{ "big": 12345678901234567890.10,\t"b":1, "a":[1 ,2], "a":"twice", "e":"\\u00e9\\/" }';
  const raw = `{"tenant_id":"${tenant.tenantId}","type":"order.created","labels":{"region":"eu","x":"1"},"payload":${payload}}`;
  const accepted = await system.api.call<{ delivery_ids: string[] }>('POST', '/v1/events', {
    raw,
    key: tenant.key,
  });
  expect(accepted.status).toBe(202);
  const arrivals = await inbox.waitForCount(3);

  expect(arrivals.map((arrival) => arrival.path).sort()).toEqual(['/all', '/labelled', '/prefix']);
  expect(arrivals.map((arrival) => arrival.headers['webhook-id']).sort()).toEqual(
    [...accepted.body.delivery_ids].sort(),
  );
  for (const [index, path] of ['/all', '/prefix', '/labelled'].entries()) {
    const arrival = arrivals.find((each) => each.path === path)!;
    expect(arrival.body.toString()).toBe(payload);
    const verifier = new Webhook(matching[index]!.secret);
    expect(() =>
      verifier.verify(arrival.body.toString(), arrival.headers as Record<string, string>),
    ).not.toThrow();
  }
  expect(isSignedBy(inbox.arrivals('/all')[0]!, matching[0]!.public_key!)).toBe(true);
  for (const id of accepted.body.delivery_ids) await deliveryIn(id, 'success');
  expect(inbox.arrivals()).toHaveLength(3);
});

/** As a receiver that knows ed25519 and nothing of ours: the public key alone, by RFC 8037. */
function isSignedBy({ headers, body }: Arrival, publicKey: string): boolean {
  const x = Buffer.from(publicKey.slice('whpk_'.length), 'base64').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const signature = /(?:^| )v1a,(\S+)/.exec(String(headers['webhook-signature']))?.[1] ?? '';
  return verify(null, Buffer.from(content), key, Buffer.from(signature, 'base64'));
}

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
}

/** Of an event that succeeds at its second try. */
const HOPS = ['accept event', 'attempt delivery', 'attempt delivery', 'fan out event', 'release retry'];

/** All spans that the services have exported, as OTLP over HTTP carries them in JSON. */
const exportedSpans = (): Span[] =>
  collector.arrivals('/v1/traces').flatMap((arrival) => {
    const { resourceSpans } = JSON.parse(arrival.body.toString());
    return resourceSpans.flatMap((resource: { scopeSpans: { spans: Span[] }[] }) =>
      resource.scopeSpans.flatMap((scope) => scope.spans),
    );
  });

test('an event leaves one trace, a span a hop, and its id finds its journey in the logs', async () => {
  const inbox = await receiver();
  inbox.answer('/second-try', [{ status: 503 }, { status: 200 }]);
  const tenant = await system.api.createTenant();
  await system.api.createWebhook(tenant, { url: inbox.url('/second-try') });
  const traceId = randomBytes(16).toString('hex');
  const accepted = await system.api.call<{ event_id: string; delivery_ids: string[] }>('POST', '/v1/events', {
    body: { tenant_id: tenant.tenantId, type: 'order.created', payload: {} },
    key: tenant.key,
    headers: { traceparent: `00-${traceId}-${'1'.repeat(16)}-01` },
  });
  await inbox.waitForCount(2, '/second-try');

  const journey = async (service: ServiceName, msg: string) => {
    const event_id = accepted.body.event_id;
    const fits = (line: LogLine) => line.msg === msg && line.event_id === event_id;
    return system.service(service).waitForLine(fits, { what: `${service} to log "${msg}"` });
  };
  const lines = [
    await journey('ingest', 'event accepted'),
    await journey('worker', 'delivery retrying'),
    await journey('worker', 'delivery succeeded'),
  ];
  for (const line of lines) expect(line).toMatchObject({ tenant_id: tenant.tenantId, trace_id: traceId });
  expect(lines[2]).toMatchObject({ delivery_id: accepted.body.delivery_ids[0], attempt: 2, status: 200 });

  const own = () => exportedSpans().filter((span) => span.traceId === traceId);
  await collector.waitFor(() => own().length >= HOPS.length, {
    what: 'the spans of its hops',
    timeoutMs: 25_000,
  });
  expect(
    own()
      .map((span) => span.name)
      .sort(),
  ).toEqual(HOPS);
  const ids = new Set([...own().map((span) => span.spanId), '1'.repeat(16)]);
  for (const span of own()) expect(ids).toContain(span.parentSpanId);
});

test('an endpoint made right before an event gets it', async () => {
  const inbox = await receiver();
  const tenant = await system.api.createTenant();
  await system.api.postEvent(tenant);
  await system.api.createWebhook(tenant, { url: inbox.url('/new') });
  const accepted = await system.api.postEvent(tenant);
  expect(accepted.webhooks_queued).toBe(1);
  const arrivals = await inbox.waitForCount(1);
  expect(arrivals[0]!.headers['webhook-id']).toBe(accepted.delivery_ids![0]);
});

test.skipIf(securedInfra() === undefined)(
  'over TLS, each service with a name and rights of its own at Kafka, an event is delivered and on record',
  async () => {
    const inbox = await receiver();
    const tenant = await system.api.createTenant();
    await system.api.createWebhook(tenant, { url: inbox.url('/secured') });
    const { delivery_ids } = await system.api.postEvent(tenant);
    await inbox.waitForCount(1);
    await deliveryIn(delivery_ids![0]!, 'success');
    const services = (await connectionsOf(system.databaseUrl)).filter(({ name }) =>
      name.startsWith('posthorn-'),
    );
    expect(services.map(({ name }) => name)).toEqual(
      expect.arrayContaining(SERVICES.map((service) => `posthorn-${service}`)),
    );
    for (const service of services) expect(service).toMatchObject({ user: 'tls_system', tls: 'TLSv1.3' });
  },
);

describe('secrets', () =>
  testSecrets(() => {
    const [firstKey, secondKey] = ringKeys as [string, string];
    const ofInstallation = { firstKey, secondKey, operatorKey: system.operatorKey };
    const kafka = securedInfra();
    const secrets = kafka ? { ...ofInstallation, kafkaPassword: kafka.password } : ofInstallation;
    return { system, collector, tiers: TIERS, secrets };
  }));

test('an endpoint that always fails ends in the dead letters after its whole schedule, and a retry brings it back', async () => {
  const inbox = await receiver();
  inbox.answer('/broken', { status: 503 });
  const tenant = await system.api.createTenant();
  await system.api.createWebhook(tenant, { url: inbox.url('/broken') });
  const { delivery_ids } = await system.api.postEvent(tenant);
  const id = delivery_ids![0]!;

  const entries = await waitUntil(
    async () => {
      const path = `/v1/dlq?tenant_id=${tenant.tenantId}`;
      const page = await system.api.call<{ entries: { delivery_id: string; attempts: number }[] }>(
        'GET',
        path,
      );
      return page.body.entries.length > 0 && page.body.entries;
    },
    { what: 'the dead letter' },
  );
  expect(entries).toEqual([expect.objectContaining({ delivery_id: id, attempts: 6 })]);
  expect(inbox.arrivals('/broken')).toHaveLength(6);
  await deliveryIn(id, 'failed');
  // The dead letter and the journal are two topics: the last attempt's row may come after it.
  const attempts = await waitUntil(
    async () => {
      const made = (await deliveryOf(id)).attempts!;
      return made.length >= 6 && made;
    },
    { what: 'six attempts in the record' },
  );
  expect(attempts.map((attempt) => attempt.attempt).sort()).toEqual([1, 2, 3, 4, 5, 6]);

  inbox.answer('/broken', { status: 204 });
  const retried = await system.api.call('POST', `/v1/dlq/${id}/retry`, { key: tenant.key });
  expect(retried.status).toBe(202);
  await inbox.waitForCount(7, '/broken');
  await deliveryIn(id, 'success');
  const left = await system.api.call<{ total: number }>('GET', `/v1/dlq?tenant_id=${tenant.tenantId}`);
  expect(left.body.total).toBe(0);
  expect(new Set(inbox.arrivals('/broken').map((arrival) => arrival.headers['webhook-id']))).toEqual(
    new Set([id]),
  );
});

test('a replay of a delivered event is a new run with an id of its own', async () => {
  const inbox = await receiver();
  const tenant = await system.api.createTenant();
  await system.api.createWebhook(tenant, { url: inbox.url('/again') });
  const { event_id, delivery_ids } = await system.api.postEvent(tenant);
  await deliveryIn(delivery_ids![0]!, 'success');
  const replayed = await system.api.call('POST', `/v1/events/${event_id}/replay`, { key: tenant.key });
  expect(replayed.status).toBe(202);
  const [first, second] = await inbox.waitForCount(2, '/again');
  expect(second!.headers['webhook-id']).not.toBe(first!.headers['webhook-id']);
  expect(second!.headers['x-webhook-run']).toBe('1');
  expect(second!.body).toEqual(first!.body);
});

interface TestedView {
  readonly attempt: {
    readonly state: string;
    readonly request: {
      readonly method: string;
      readonly headers: Record<string, string>;
      readonly body: string;
    };
    readonly response: { readonly status: number; readonly body: string };
  };
}

test('a test of a webhook answers with the very request that its receiver got, signed by both secrets while one rotates', async () => {
  const inbox = await receiver();
  inbox.answer('/tested', { status: 202, body: 'noted' });
  const tenant = await system.api.createTenant();
  const own = { method: 'PUT', headers: { 'X-Api-Key': 'of-the-receiver' } };
  const made = await system.api.createWebhook(tenant, { url: inbox.url('/tested'), ...own });
  const path = `/v1/webhooks/${made.webhook_id}`;
  const key = tenant.key;
  const rotated = await system.api.call<{ secret: string }>('POST', `${path}/secret/rotate`, { key });
  const tested = await system.api.call<TestedView>('POST', `${path}/test`, {
    body: { payload: { n: 1 } },
    key,
  });
  expect([tested.status, tested.body.attempt]).toMatchObject([
    200,
    {
      state: 'success',
      request: { method: 'PUT', body: '{"n":1}' },
      response: { status: 202, body: 'noted' },
    },
  ]);
  const [arrival] = inbox.arrivals('/tested');
  const { 'x-api-key': redacted, ...shown } = tested.body.attempt.request.headers;
  expect(redacted).toBe('[redacted]');
  expect(arrival).toMatchObject({ method: 'PUT', headers: { ...shown, 'x-api-key': 'of-the-receiver' } });
  for (const secret of [made.secret, rotated.body.secret])
    expect(() => new Webhook(secret).verify('{"n":1}', arrival!.headers as never)).not.toThrow();
});

describe('the egress policy', () => testEgress(() => system));

test('events posted while no worker runs are all delivered once one starts', async () => {
  const inbox = await receiver();
  const tenant = await system.api.createTenant();
  await system.api.createWebhook(tenant, { url: inbox.url('/drain') });
  expect(await system.stop('worker')).toBe(0);
  const ledger = await sendLoad(system.api, tenant, { eventsPerSec: 400, until: (sent) => sent === 200 });
  expect(ledger.ok.size).toBe(200);
  expect(inbox.arrivals()).toHaveLength(0);
  await system.start('worker');
  await inbox.waitForCount(200, '/drain', { timeoutMs: 25_000 });
  expect(judge(ledger, inbox.arrivals())).toEqual(CLEAN);
});

test('a thousand events to ten endpoints arrive ten thousand times, none twice', async () => {
  const inbox = await receiver();
  const tenant = await system.api.createTenant();
  for (let i = 0; i < 10; i++) await system.api.createWebhook(tenant, { url: inbox.url(`/fan-${i}`) });
  const ledger = await sendLoad(system.api, tenant, { eventsPerSec: 1_000, until: (sent) => sent === 1_000 });
  expect(promised(ledger)).toBe(10_000);
  await inbox.waitForCount(10_000, undefined, { timeoutMs: 40_000 });
  expect(judge(ledger, inbox.arrivals())).toEqual(CLEAN);
  expect(new Set(inbox.arrivals().map((arrival) => arrival.headers['webhook-id'])).size).toBe(10_000);
});

test('a tenant never has more requests open than its quota', async () => {
  const inbox = await receiver();
  inbox.answer('/slow', { delayMs: 40 });
  const tenant = await system.api.createTenant({ quotas: { max_concurrent_deliveries: 3 } });
  await system.api.createWebhook(tenant, { url: inbox.url('/slow') });
  const ledger = await sendLoad(system.api, tenant, { eventsPerSec: 1_000, until: (sent) => sent === 40 });
  await inbox.waitForCount(promised(ledger), '/slow');
  expect(inbox.peakOpen).toBe(3);
});

// The last: what they add to the catalogue of event types holds for everybody.
describe('what a guide prints', () => testGuides(() => system));
