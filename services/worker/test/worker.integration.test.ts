import {
  decodeDeadLetter,
  decodeDelivery,
  decodeWait,
  deriveDeliveryId,
  effortOf,
  hasValidMac,
  MAC_KEY_USE,
} from '@posthorn/contracts';
import { deriveKeys, parseKeyRing } from '@posthorn/secrets';
import { type Receiver, startReceiver } from '@posthorn/testkit';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SECRETS_KEY, startWorld, type World } from './world.ts';

let world: World;
let receiver: Receiver;
let worker: Awaited<ReturnType<World['startWorker']>>;

beforeAll(async () => {
  [world, receiver] = await Promise.all([startWorld('worker'), startReceiver()]);
  worker = await world.startWorker({
    BREAKER_FIRST_PROBE_MS: '400',
    CIRCUIT_LEAST_WAIT_MS: '60',
    PAUSE_FIRST_WAIT_MS: '55',
  });
});
afterAll(async () => {
  await worker?.stop();
  await Promise.all([world?.close(), receiver?.close()]);
});

const entriesOf = (eventId: string) =>
  world.entries.items.filter((entry) => 'eventId' in entry && entry.eventId === eventId);
const journaled = (eventId: string, count: number) =>
  world.entries.waitFor(() => entriesOf(eventId).length >= count, { what: `${count} journal entries` });

test('an event arrives byte for byte, signed so that an independent library accepts it', async () => {
  await world.addTenant('signed');
  const endpoint = await world.addEndpoint('signed', receiver.url('/signed'));
  const payload = '{"b":1, "a": 12345678901234567890,"a":"\\u00e9"}\n';
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';
  const { eventId } = await world.post('signed', [endpoint], { payload, traceparent });
  const [arrival] = await receiver.waitForCount(1, '/signed');
  const deliveryId = deriveDeliveryId(eventId, endpoint.endpointId, 0);
  expect(arrival!.body.toString()).toBe(payload);
  expect(arrival!.headers).toMatchObject({
    'webhook-id': deliveryId,
    'x-webhook-event-id': eventId,
    'x-webhook-event-type': 'order.created',
    'x-webhook-run': '0',
    'x-webhook-attempt': '1',
    'content-type': 'application/json',
  });
  new Webhook(endpoint.secret).verify(arrival!.body.toString(), arrival!.headers as Record<string, string>);
  await journaled(eventId, 1);
  expect(entriesOf(eventId)).toMatchObject([
    {
      kind: 'attempted',
      deliveryId,
      state: 'success',
      status: 200,
      attempt: 1,
      traceId: '0af7651916cd43dd8448eb211c80319c',
      phases: { connectMs: expect.any(Number), firstByteMs: expect.any(Number) },
      revision: expect.any(Number),
    },
  ]);
});

test("an endpoint's method and headers are used, and what its receiver answers is kept without its secrets", async () => {
  await world.addTenant('own');
  const headers = { authorization: 'Bearer of-the-receiver', 'x-region': 'eu' };
  const endpoint = await world.addEndpoint('own', receiver.url('/own'), { method: 'PUT', headers });
  receiver.answer('/own', { status: 200, headers: { 'x-request-id': 'r-1', 'set-cookie': 'session=1' } });
  const { eventId } = await world.post('own', [endpoint]);
  const [arrival] = await receiver.waitForCount(1, '/own');
  expect(arrival).toMatchObject({ method: 'PUT', headers });
  await journaled(eventId, 1);
  expect(entriesOf(eventId)).toMatchObject([
    { state: 'success', responseHeaders: { 'x-request-id': 'r-1', 'set-cookie': '[redacted]' } },
  ]);
  expect(JSON.stringify(entriesOf(eventId))).not.toContain('of-the-receiver');
});

test('a request goes out with a token that was asked for, and none of it is in a topic or a log', async () => {
  await world.addTenant('authorised');
  const endpoint = await world.addEndpoint('authorised', receiver.url('/authorised'), {
    auth: {
      type: 'oauth2_client_credentials',
      token_url: receiver.url('/token'),
      client_id: 'posthorn',
      client_secret: 'canary-of-the-client',
    },
  });
  const token = JSON.stringify({ access_token: 'canary-of-the-token', token_type: 'Bearer', expires_in: 60 });
  receiver.answer('/token', { body: token });
  receiver.answer('/authorised', ({ headers }) => ({
    status: 400,
    body: `not with ${headers.authorization}`,
  }));
  const { eventId } = await world.post('authorised', [endpoint]);
  const [arrival] = await receiver.waitForCount(1, '/authorised');
  expect(arrival!.headers.authorization).toBe('Bearer canary-of-the-token');
  await journaled(eventId, 1);
  const body = Buffer.from('not with Bearer [redacted]').toString('base64');
  expect(entriesOf(eventId)).toMatchObject([{ failure: 'http_4xx', responseBody: body }]);
  const records = [...world.waiting.items, ...world.deadLetters.items].map(({ headers, value }) => [
    headers,
    String(value),
  ]);
  expect(JSON.stringify([world.entries.items, records, worker.lines])).not.toContain('canary-of');
  const metrics = await (await worker.admin('/metrics')).text();
  expect(metrics).toContain('posthorn_worker_token_requests_total{outcome="granted",service="worker"} 1');
});

test('a failing delivery walks its schedule tier by tier and ends in the dead letters', async () => {
  await world.addTenant('failing');
  const endpoint = await world.addEndpoint('failing', receiver.url('/failing'));
  receiver.answer('/failing', { status: 503, body: 'later' });
  const { eventId } = await world.post('failing', [endpoint]);
  const onTier = (attempt: number) =>
    world.waiting.items.find(
      ({ headers }) => headers.ce_id === eventId && decodeDelivery(headers).attempt === attempt,
    );
  for (const [attempt, tier, delayMs] of [
    [2, '50ms', 50],
    [3, '200ms', 200],
  ] as const) {
    await world.waiting.waitFor(() => onTier(attempt) !== undefined, {
      what: `attempt ${attempt} on a tier`,
    });
    const record = onTier(attempt)!;
    expect(record.topic).toBe(`${world.prefix}retry.${tier}`);
    expect(decodeDelivery(record.headers)).toMatchObject({ slots: [endpoint.endpointId], lane: 1 });
    expect(decodeWait(record.headers)).toEqual({ delayMs, returnTo: 'deliveries', bounces: 0 });
    await world.release(record);
  }
  const dead = () => world.deadLetters.items.find(({ headers }) => headers.ce_id === eventId);
  await world.deadLetters.waitFor(() => dead() !== undefined, { what: 'a dead letter' });
  expect(decodeDeadLetter(dead()!.headers)).toMatchObject({
    reason: 'attempts_exhausted',
    lastFailure: 'http_5xx',
    lastStatus: 503,
    attempts: 3,
  });
  await journaled(eventId, 3);
  expect(entriesOf(eventId)).toMatchObject([
    { state: 'processing', attempt: 1, responseBody: Buffer.from('later').toString('base64') },
    { state: 'processing', attempt: 2 },
    { state: 'failed', attempt: 3, nextDueAtMs: null },
  ]);
  const arrivals = receiver.arrivals('/failing');
  const ids = arrivals.map(({ headers }) => headers['webhook-id']);
  expect(ids).toHaveLength(3);
  for (const { headers, body } of arrivals)
    new Webhook(endpoint.secret).verify(body.toString(), headers as Record<string, string>);
  expect(new Set(ids).size).toBe(1);
});

test('the slots of a record end on their own: one succeeds while another is gone', async () => {
  await world.addTenant('fan');
  const well = await world.addEndpoint('fan', receiver.url('/well'));
  const gone = await world.addEndpoint('fan', receiver.url('/gone'));
  receiver.answer('/gone', { status: 410 });
  const { eventId } = await world.post('fan', [well, gone]);
  await journaled(eventId, 2);
  const states = new Map(
    entriesOf(eventId).map((entry) => [
      'endpointId' in entry && entry.endpointId,
      'state' in entry && entry.state,
    ]),
  );
  expect(states).toEqual(
    new Map([
      [well.endpointId, 'success'],
      [gone.endpointId, 'failed'],
    ]),
  );
});

test('an endpoint that was deleted is not sent to', async () => {
  await world.addTenant('deleted');
  const endpoint = await world.addEndpoint('deleted', receiver.url('/deleted'));
  await world.sql`update endpoints set state = 'deleted' where endpoint_id = ${endpoint.endpointId}`;
  const { eventId } = await world.post('deleted', [endpoint]);
  await journaled(eventId, 1);
  expect(entriesOf(eventId)).toMatchObject([{ kind: 'cancelled', reason: 'endpoint_deleted' }]);
  expect(receiver.arrivals('/deleted')).toHaveLength(0);
});

const asideOf = (eventId: string) => world.waiting.items.filter(({ headers }) => headers.ce_id === eventId);
const putAside = async (eventId: string) => {
  await world.waiting.waitFor(() => asideOf(eventId).length > 0, { what: 'a record on a tier' });
  return asideOf(eventId)[0]!;
};

test('what waits for an endpoint that a 410 disabled is a dead letter without a request', async () => {
  await world.addTenant('disabled');
  const endpoint = await world.addEndpoint('disabled', receiver.url('/disabled'));
  receiver.answer('/disabled', { status: 410 });
  const first = await world.post('disabled', [endpoint]);
  await journaled(first.eventId, 1);
  expect(entriesOf(first.eventId)).toMatchObject([
    { failure: 'gone', urlHash: expect.stringMatching(/^[0-9a-f]{16}$/) },
  ]);
  const second = await world.post('disabled', [endpoint]);
  await journaled(second.eventId, 1);
  expect(entriesOf(second.eventId)).toMatchObject([{ kind: 'dead_lettered', reason: 'endpoint_gone' }]);
  const dead = () => world.deadLetters.items.find(({ headers }) => headers.ce_id === second.eventId);
  await world.deadLetters.waitFor(() => dead() !== undefined, { what: 'a dead letter' });
  const key = deriveKeys(parseKeyRing(SECRETS_KEY), MAC_KEY_USE)[0];
  expect(hasValidMac(key, dead()!.headers, dead()!.value)).toBe(true);
  expect(receiver.arrivals('/disabled')).toHaveLength(1);
});

test('what comes for a paused endpoint waits on a tier, and no attempt is counted for it', async () => {
  await world.addTenant('paused');
  const endpoint = await world.addEndpoint('paused', receiver.url('/paused'));
  await world.pause('paused', endpoint);
  const { eventId } = await world.post('paused', [endpoint]);
  const waiting = await putAside(eventId);
  expect(decodeWait(waiting.headers)).toEqual({ delayMs: 55, returnTo: 'deliveries', bounces: 1 });
  expect(decodeDelivery(waiting.headers)).toMatchObject({ attempt: 1 });
  expect(effortOf(waiting.headers)).toEqual({ spentMs: 0, circuitMs: 0 });
  expect(entriesOf(eventId)).toEqual([]);
  expect(receiver.arrivals('/paused')).toHaveLength(0);
});

test('an endpoint that is down is sent single probes, until one comes through', async () => {
  await world.addTenant('down');
  const endpoint = await world.addEndpoint('down', receiver.url('/down'));
  receiver.answer('/down', { status: 500 });
  const failing = await Promise.all(Array.from({ length: 20 }, () => world.post('down', [endpoint])));
  for (const { eventId } of failing) await journaled(eventId, 1);
  const { eventId } = await world.post('down', [endpoint]);
  const waiting = await putAside(eventId);
  expect(decodeDelivery(waiting.headers)).toMatchObject({ attempt: 1 });
  expect(effortOf(waiting.headers)).toEqual({ spentMs: 0, circuitMs: decodeWait(waiting.headers).delayMs });
  expect(entriesOf(eventId)).toEqual([]);
  expect(receiver.arrivals('/down')).toHaveLength(20);
  receiver.answer('/down', { status: 200 });
  await world.releaseWhenDue(waiting);
  await journaled(eventId, 1);
  expect(entriesOf(eventId)).toMatchObject([{ state: 'success', attempt: 1 }]);
  expect(worker.lines).toContainEqual(expect.objectContaining({ msg: 'circuit closed' }));
  const circuits = () => world.entries.items.filter((entry) => entry.kind === 'circuit');
  await world.entries.waitFor(() => circuits().length >= 2, { what: 'a circuit that was closed again' });
  const { endpointId } = endpoint;
  expect(circuits()).toMatchObject([
    { tenantId: 'down', endpointId, nextProbeAtMs: expect.any(Number) },
    { tenantId: 'down', endpointId, nextProbeAtMs: null },
  ]);
});

test('an attempt ends with its deadline and is retried', async () => {
  await world.addTenant('hanging');
  const endpoint = await world.addEndpoint('hanging', receiver.url('/hanging'), {
    attemptTimeoutMs: 100,
    retryScheduleMs: [],
  });
  receiver.answer('/hanging', 'hang');
  const { eventId } = await world.post('hanging', [endpoint]);
  await journaled(eventId, 1);
  expect(entriesOf(eventId)).toMatchObject([{ state: 'failed', failure: 'timeout', status: null }]);
});

test('a tenant has no more requests open than its quota, and a neighbour in its lane does not wait', async () => {
  await world.addTenant('slow', { maxConcurrentDeliveries: 3 });
  await world.addTenant('quick');
  const quick = await world.addEndpoint('quick', receiver.url('/quick'));
  const slowly = await startReceiver();
  try {
    const slow = await world.addEndpoint('slow', slowly.url('/slow'));
    slowly.answer('/slow', { delayMs: 300 });
    await Promise.all(Array.from({ length: 9 }, () => world.post('slow', [slow])));
    await slowly.waitForCount(3);
    await world.post('quick', [quick]);
    await receiver.waitForCount(1, '/quick');
    expect(slowly.arrivals().length).toBeLessThan(9);
    await slowly.waitForCount(9);
    expect(slowly.peakOpen).toBe(3);
  } finally {
    await slowly.close();
  }
});

test('a raised quota holds although nothing of the tenant ends', async () => {
  await world.addTenant('raised', { maxConcurrentDeliveries: 1 });
  const endpoint = await world.addEndpoint('raised', receiver.url('/raised'));
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  receiver.answer('/raised', () => opened.then(() => ({})));
  await Promise.all(Array.from({ length: 3 }, () => world.post('raised', [endpoint])));
  await receiver.waitForCount(1, '/raised');
  await world.setQuotas('raised', { maxConcurrentDeliveries: 3 });
  await receiver.waitForCount(3, '/raised');
  open();
});

test('a record that cannot be read holds nobody up', async () => {
  await world.addTenant('behind');
  const endpoint = await world.addEndpoint('behind', receiver.url('/behind'));
  const { headers } = await world.post('behind', [endpoint]);
  await receiver.waitForCount(1, '/behind');
  await world.postRaw({ ...headers, ph_v: '99' });
  await world.post('behind', [endpoint]);
  await receiver.waitForCount(2, '/behind');
  expect(worker.lines).toContainEqual(expect.objectContaining({ msg: 'record set aside' }));
});

test('health and metrics are served', async () => {
  expect((await worker.admin('/readyz')).status).toBe(200);
  const text = await (await worker.admin('/metrics')).text();
  expect(text).toMatch(/posthorn_worker_attempts_total\{outcome="success",service="worker"\} [1-9]/);
  expect(text).toMatch(/posthorn_worker_assigned_lanes\{service="worker"\} 4/);
  expect(text).toMatch(/posthorn_worker_fence_open\{service="worker"\} 1/);
});
