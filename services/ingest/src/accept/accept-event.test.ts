import {
  decodeEvent,
  deriveDeliveryId,
  isEventId,
  MAX_EVENT_BYTES,
  tenantPartition,
} from '@posthorn/contracts';
import { ProduceError } from '@posthorn/kafka';
import { beforeEach, describe, expect, it } from 'vitest';
import { ACME_KEY, type Bundle, OTHER_KEY, setup } from '../../test/setup.ts';
import { MAX_DELIVERY_IDS } from './accept-event.ts';

let bundle: Bundle;
beforeEach(async () => {
  bundle = await setup();
  bundle.addTenant('acme');
});

const event = { tenant_id: 'acme', type: 'order.created', payload: { n: 1 } };

describe('posting an event', () => {
  it('answers 202 with its id and the deliveries that it leads to', async () => {
    const all = bundle.addEndpoint('acme');
    bundle.addEndpoint('acme', { eventTypes: ['user.*'] });
    const labelled = bundle.addEndpoint('acme', { eventTypes: ['order.*'], labels: { region: 'eu' } });
    const { status, body } = await bundle.post('/v1/events', { ...event, labels: { region: 'eu', x: 'y' } });
    expect(status).toBe(202);
    expect(isEventId(body.event_id)).toBe(true);
    expect(body).toEqual({
      event_id: body.event_id,
      tenant_id: 'acme',
      type: 'order.created',
      webhooks_queued: 2,
      delivery_ids: [all, labelled].map((id) => deriveDeliveryId(body.event_id, id, 0)),
    });
  });

  it('writes the payload byte for byte, with everything else in headers', async () => {
    bundle.addEndpoint('acme');
    const payload = '{ "b":1,"a" : 12345678901234567890, "b":"\\u00e9é" }';
    const raw = `{"type":"order.created","tenant_id":"acme","labels":{"k":"v"},"occurred_at":"2026-01-31T12:00:00.5+01:00","payload":${payload}}`;
    const { body } = await bundle.post('/events', raw);
    const [record] = bundle.sent;
    expect(record?.value?.toString()).toBe(payload);
    expect(record).toMatchObject({ topic: 'events', key: 'acme', partition: tenantPartition('acme', 8) });
    expect(decodeEvent(record!.headers)).toEqual({
      eventId: body.event_id,
      tenantId: 'acme',
      type: 'order.created',
      labels: { k: 'v' },
      occurredAt: '2026-01-31T11:00:00.500Z',
      contentType: 'application/json',
      revision: bundle.tenants.get('acme')!.revision,
      retentionDays: 30,
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/),
    });
  });

  it('continues the trace of the sender and leaves one line that finds it', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const response = await bundle.app.inject({
      method: 'POST',
      url: '/events',
      headers: { authorization: `Bearer ${ACME_KEY}`, 'content-type': 'application/json', traceparent },
      payload: event,
    });
    expect(bundle.sent[0]?.headers.traceparent).toBe(traceparent);
    expect(bundle.logged).toEqual([
      expect.objectContaining({
        msg: 'event accepted',
        level: 'info',
        tenant_id: 'acme',
        event_id: response.json().event_id,
        event_type: 'order.created',
        webhooks_queued: 0,
        trace_id: '0af7651916cd43dd8448eb211c80319c',
      }),
    ]);
  });

  it('lists up to a hundred delivery ids and gives the count alone beyond', async () => {
    for (let i = 0; i < MAX_DELIVERY_IDS; i++) bundle.addEndpoint('acme');
    expect((await bundle.post('/events', event)).body.delivery_ids).toHaveLength(MAX_DELIVERY_IDS);
    bundle.addEndpoint('acme');
    const { body } = await bundle.post('/events', event);
    expect(body.webhooks_queued).toBe(MAX_DELIVERY_IDS + 1);
    expect(body).not.toHaveProperty('delivery_ids');
  });

  it.each([
    ['null', 'null'],
    ['a number', '-0.0e-400'],
    ['a string', '"\\ud800"'],
    ['an array', '[1 , 2]'],
  ])('takes %s as payload', async (_name, payload) => {
    const { status } = await bundle.post('/events', `{"tenant_id":"acme","type":"a","payload":${payload}}`);
    expect(status).toBe(202);
    expect(bundle.sent[0]?.value?.toString()).toBe(payload);
  });

  it('takes a payload of exactly the largest size and refuses one more byte', async () => {
    const of = (bytes: number) => `{"tenant_id":"acme","type":"a","payload":"${'x'.repeat(bytes - 2)}"}`;
    expect((await bundle.post('/events', of(MAX_EVENT_BYTES))).status).toBe(202);
    expect((await bundle.post('/events', of(MAX_EVENT_BYTES + 1))).body.code).toBe('payload_too_large');
    expect((await bundle.post('/events', of(4 * MAX_EVENT_BYTES))).body.code).toBe('payload_too_large');
  });

  it('lists every fault of the envelope at once, by pointer', async () => {
    const { status, body } = await bundle.post('/events', {
      tenant_id: 'a.b',
      type: 'Order Created',
      labels: { 'a b': 'x', ok: 5 },
      timestamp: 'yesterday',
      'un/known~': 1,
    });
    expect(status).toBe(400);
    expect(body.code).toBe('invalid_request');
    expect(body.errors.map((fault: { pointer: string }) => fault.pointer)).toEqual([
      '/un~1known~0',
      '/tenant_id',
      '/type',
      '/payload',
      '/labels/a b',
      '/labels/ok',
      '/timestamp',
    ]);
  });

  it('is refused for a tenant that is not there, and just so for one that the key may not act for', async () => {
    bundle.addTenant('other');
    const absent = await bundle.post('/events', { ...event, tenant_id: 'nobody' });
    const foreign = await bundle.post('/events', event, OTHER_KEY);
    for (const answer of [absent, foreign]) {
      expect(answer.status).toBe(404);
      expect(answer.body.code).toBe('tenant_not_found');
    }
    expect(bundle.sent).toEqual([]);
  });
});

describe('an event with a delivery time', () => {
  const DAY_MS = 86_400_000;
  const at = (ms: number): string => new Date(bundle.clock.nowMs() + ms).toISOString();

  it('carries it, and the answer says it', async () => {
    bundle.addEndpoint('acme');
    const { status, body } = await bundle.post('/events', { ...event, deliver_at: at(7 * DAY_MS) });
    expect([status, body.deliver_at, body.webhooks_queued]).toEqual([202, at(7 * DAY_MS), 1]);
    expect(decodeEvent(bundle.sent[0]!.headers).deliverAtMs).toBe(bundle.clock.nowMs() + 7 * DAY_MS);
  });

  it('that is past is delivered at once', async () => {
    const { status, body } = await bundle.post('/events', { ...event, deliver_at: at(0) });
    expect(status).toBe(202);
    expect(body).not.toHaveProperty('deliver_at');
    expect(decodeEvent(bundle.sent[0]!.headers)).not.toHaveProperty('deliverAtMs');
  });

  it('that is more than 7 days ahead is refused with the latest that would do', async () => {
    const { status, body } = await bundle.post('/events', { ...event, deliver_at: at(7 * DAY_MS + 1) });
    expect(status).toBe(400);
    expect(body.errors).toEqual([
      {
        pointer: '/deliver_at',
        detail: `is ${at(7 * DAY_MS + 1)}, more than 7 days ahead: send ${at(7 * DAY_MS)} or earlier, or post the event later`,
      },
    ]);
  });
});

describe('the event rate', () => {
  it('answers 429 with the limit and when to come back, then takes events again', async () => {
    bundle.addTenant('acme', { maxEventsPerSec: 2 });
    expect((await bundle.post('/events', event)).status).toBe(202);
    bundle.clock.advance(400);
    expect((await bundle.post('/events', event)).status).toBe(202);
    const { status, headers, body } = await bundle.post('/events', event);
    expect(status).toBe(429);
    expect(body).toMatchObject({ code: 'event_quota_exceeded', limit: 2, remaining: 0, reset: 0.6 });
    expect(headers).toMatchObject({
      'retry-after': '1',
      'ratelimit-policy': '"events";q=2;w=1',
      ratelimit: '"events";r=0;t=1',
    });
    bundle.clock.advance(600);
    expect((await bundle.post('/events', event)).status).toBe(202);
  });

  it('does not count what was refused for another reason', async () => {
    bundle.addTenant('acme', { maxEventsPerSec: 1 });
    await bundle.post('/events', { ...event, type: '!' });
    expect((await bundle.post('/events', event)).status).toBe(202);
  });
});

describe('too many dead letters', () => {
  it('stop events of a tenant whose policy is to refuse', async () => {
    bundle.counts.set('acme', 100);
    const { status, headers, body } = await bundle.post('/events', event);
    expect(status).toBe(429);
    expect(headers).toMatchObject({ 'retry-after': '60', ratelimit: '"dead_letters";r=0;t=60' });
    expect(body).toMatchObject({
      code: 'dlq_quota_exceeded',
      quota: 'max_dlq_size',
      limit: 100,
      remaining: 0,
      reset: 60,
      count: 100,
    });
  });

  it.each(['warn', 'drop_oldest'] as const)('do not stop events under the policy %s', async (dlqPolicy) => {
    bundle.addTenant('acme', { dlqPolicy });
    bundle.counts.set('acme', 1_000);
    expect((await bundle.post('/events', event)).status).toBe(202);
  });
});

describe('when Kafka does not acknowledge', () => {
  it.each(['not_accepted', 'outcome_unknown'] as const)('the answer is 503 %s, never 202', async (code) => {
    bundle.failSend = new ProduceError(code, 'broker is away');
    const { status, headers, body } = await bundle.post('/events', event);
    expect(status).toBe(503);
    expect(body.code).toBe(code);
    expect(headers['retry-after']).toBe('1');
    expect(bundle.logged.filter(({ msg }) => msg === 'event accepted')).toEqual([]);
  });

  it('an error that nobody expected is 500 and is logged', async () => {
    bundle.failSend = new TypeError('bug');
    const { status, body } = await bundle.post('/events', event);
    expect([status, body.code]).toEqual([500, 'internal']);
    expect(bundle.logged[0]).toMatchObject({ level: 'error', request_id: body.request_id });
    expect(JSON.stringify(body)).not.toContain('bug');
  });
});

describe('when Postgres is away', () => {
  beforeEach(async () => {
    await bundle.get('/quotas/acme', ACME_KEY);
    bundle.failStore = Object.assign(new Error('away'), { code: 'ECONNREFUSED' });
  });

  it('events of tenants that are known are accepted, with keys that are known', async () => {
    bundle.clock.advance(30_000);
    expect((await bundle.post('/events', event, ACME_KEY)).status).toBe(202);
  });

  it('events of others are refused with 503', async () => {
    bundle.tenants.clear();
    const { status, headers, body } = await bundle.post('/events', event, ACME_KEY);
    expect([status, body.code, headers['retry-after']]).toEqual([503, 'tenant_unavailable', '1']);
  });

  it('a key that is not known, or was for too long, is refused with 503', async () => {
    expect((await bundle.post('/events', event, OTHER_KEY)).body.code).toBe('database_unavailable');
    bundle.clock.advance(60_001);
    expect((await bundle.post('/events', event, ACME_KEY)).body.code).toBe('database_unavailable');
  });
});
