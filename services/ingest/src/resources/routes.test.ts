import {
  decodeEvent,
  decodeReplay,
  deriveDeliveryId,
  hasValidMac,
  isEndpointId,
  tenantPartition,
} from '@posthorn/contracts';
import { ProduceError } from '@posthorn/kafka';
import { beforeEach, describe, expect, it } from 'vitest';
import { ACME_KEY, type Bundle, MAC_KEY, OTHER_KEY, QUOTAS, setup } from '../../test/setup.ts';

let bundle: Bundle;
beforeEach(async () => {
  bundle = await setup();
  bundle.addTenant('acme');
  bundle.addTenant('other');
});

describe('tenants', () => {
  it('are created with their quotas and a key that is shown once', async () => {
    const { status, body } = await bundle.post('/v1/tenants', {
      tenant_id: 'new-one',
      quotas: { max_events_per_sec: 7 },
      dlq_policy: 'warn',
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      tenant_id: 'new-one',
      quotas: { max_events_per_sec: 7, max_webhooks: QUOTAS.maxWebhooks },
      dlq_policy: 'warn',
      api_key: expect.stringMatching(/^phk_tn_[A-Za-z0-9_-]{43}$/),
    });
    const again = await bundle.get('/tenants/new-one');
    expect(again.body).toMatchObject({ tenant_id: 'new-one', dlq_policy: 'warn' });
    expect(again.text).not.toContain('phk_');
    expect(JSON.stringify(bundle.logged)).not.toContain(body.api_key);
  });

  it('of a name that is taken are 409', async () => {
    const { status, body } = await bundle.post('/tenants', { tenant_id: 'acme' });
    expect([status, body.code]).toEqual([409, 'tenant_exists']);
  });

  it('are seen by their own key alone', async () => {
    expect((await bundle.get('/tenants/acme', ACME_KEY)).status).toBe(200);
    const foreign = await bundle.get('/tenants/acme', OTHER_KEY);
    const absent = await bundle.get('/tenants/nobody', OTHER_KEY);
    expect(foreign.body.code).toBe('tenant_not_found');
    expect({ ...foreign.body, request_id: '', detail: '' }).toEqual({
      ...absent.body,
      request_id: '',
      detail: '',
    });
  });
});

describe('webhooks', () => {
  const webhook = { tenant_id: 'acme', url: 'https://a.example/hook' };

  it('are created with a secret that is shown once', async () => {
    const { status, body } = await bundle.post('/v1/webhooks', webhook, ACME_KEY);
    expect(status).toBe(201);
    expect(isEndpointId(body.webhook_id)).toBe(true);
    expect(body).toMatchObject({
      ...webhook,
      event_types: ['*'],
      labels: {},
      retry_schedule: null,
      attempt_timeout_ms: null,
      state: 'active',
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
    });
    for (const path of [`/webhooks/${body.webhook_id}`, '/webhooks?tenant_id=acme']) {
      const seen = await bundle.get(path, ACME_KEY);
      expect(seen.status).toBe(200);
      expect(seen.text).toContain(body.webhook_id);
      expect(seen.text).not.toContain(body.secret);
    }
    expect(JSON.stringify(bundle.logged)).not.toContain(body.secret);
  });

  it('keep what they were given', async () => {
    const given = {
      ...webhook,
      secret: 'webhook_secret_key',
      event_types: ['order.*', 'user.created'],
      labels: { region: 'eu' },
      description: 'orders',
      retry_schedule: [0.05, 1, 2],
      attempt_timeout_ms: 2_000,
    };
    const { body } = await bundle.post('/webhooks', given);
    expect(body).toMatchObject(given);
    const { secret: _secret, ...visible } = given;
    expect((await bundle.get(`/webhooks/${body.webhook_id}`)).body).toMatchObject(visible);
  });

  it('may have no retries at all', async () => {
    const { body } = await bundle.post('/webhooks', { ...webhook, retry_schedule: [] });
    expect(body.retry_schedule).toEqual([]);
  });

  it('are 409 beyond the quota', async () => {
    for (let i = 0; i < QUOTAS.maxWebhooks; i++) await bundle.post('/webhooks', webhook);
    const { status, body } = await bundle.post('/webhooks', webhook);
    expect([status, body.code, body.limit]).toEqual([409, 'webhook_quota_exceeded', QUOTAS.maxWebhooks]);
  });

  it('of another tenant are as absent as one that never was', async () => {
    const { body } = await bundle.post('/webhooks', webhook);
    const foreign = await bundle.get(`/webhooks/${body.webhook_id}`, OTHER_KEY);
    expect([foreign.status, foreign.body.code]).toEqual([404, 'webhook_not_found']);
    expect((await bundle.post('/webhooks', webhook, OTHER_KEY)).body.code).toBe('tenant_not_found');
    expect((await bundle.get('/webhooks?tenant_id=acme', OTHER_KEY)).body.code).toBe('tenant_not_found');
    expect((await bundle.get('/webhooks', OTHER_KEY)).body).toEqual({ data: [], next: null, prev: null });
  });

  it('are not confirmed with 201 while a replica does not know them, and the secret is not lost', async () => {
    bundle.neverApplied = true;
    const { status, body } = await bundle.post('/webhooks', webhook);
    expect([status, body.code]).toEqual([503, 'change_unconfirmed']);
    expect(isEndpointId(body.webhook_id)).toBe(true);
    expect(body.secret).toMatch(/^whsec_/);
  });
});

describe('quotas', () => {
  it('show limits, what is used and what remains', async () => {
    bundle.addEndpoint('acme');
    bundle.counts.set('acme', 40);
    await bundle.post('/events', { tenant_id: 'acme', type: 'a', payload: 1 });
    const { status, body } = await bundle.get('/v1/quotas/acme', ACME_KEY);
    expect(status).toBe(200);
    expect(body).toEqual({
      tenant_id: 'acme',
      limits: {
        max_events_per_sec: 100,
        max_concurrent_deliveries: 50,
        max_dlq_size: 100,
        max_webhooks: 3,
      },
      dlq_policy: 'refuse',
      plan: 'default',
      overrides: [],
      current_usage: {
        events_sent: 1,
        events_last_minute: 1,
        concurrent_deliveries: 4,
        dlq_count: 40,
        webhooks: 1,
      },
      remaining: { events: 99, deliveries: 46, dlq: 60 },
      utilisation: { events: 0.01, deliveries: 0.08, dlq: 0.4, webhooks: 0.3333 },
      queued_deliveries: 7,
    });
    bundle.clock.advance(1_000);
    expect((await bundle.get('/quotas/acme')).body.current_usage.events_sent).toBe(0);
  });

  it('are changed by an operator, and what was not given stays', async () => {
    const response = await bundle.app.inject({
      method: 'PATCH',
      url: '/quotas/acme',
      headers: { authorization: 'Bearer phk_op_test_key_0123456789' },
      payload: { max_events_per_sec: 1, dlq_policy: 'warn' },
    });
    expect(response.json()).toMatchObject({
      limits: { max_events_per_sec: 1, max_dlq_size: 100 },
      dlq_policy: 'warn',
    });
  });

  it('are shown while Postgres is away, but for what only workers know', async () => {
    bundle.counts.set('acme', 40);
    await bundle.get('/quotas/acme', ACME_KEY);
    bundle.failStore = Object.assign(new Error('away'), { code: 'ECONNREFUSED' });
    const { status, body } = await bundle.get('/quotas/acme', ACME_KEY);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      plan: null,
      current_usage: { dlq_count: 40, concurrent_deliveries: null },
      remaining: { deliveries: null },
      queued_deliveries: null,
    });
  });

  it('of an unknown tenant are 404', async () => {
    expect((await bundle.get('/quotas/nobody')).body.code).toBe('tenant_not_found');
    expect((await bundle.get('/quotas/acme', OTHER_KEY)).body.code).toBe('tenant_not_found');
  });
});

describe('the record of an event', () => {
  it('shows its payload as it came, and its deliveries', async () => {
    const eventId = bundle.addEvent('acme', ['success', 'failed']);
    const { status, text, body } = await bundle.get(`/events/${eventId}`, ACME_KEY);
    expect(status).toBe(200);
    expect(text).toContain('"payload":{"id": 12345678901234567890}');
    expect(body).toMatchObject({
      event_id: eventId,
      tenant_id: 'acme',
      type: 'order.created',
      labels: { region: 'eu' },
    });
    expect(body.deliveries.map((row: { state: string }) => row.state)).toEqual(['success', 'failed']);
    const one = await bundle.get(`/deliveries/${body.deliveries[0].delivery_id}`, ACME_KEY);
    expect(one.body).toEqual({ ...body.deliveries[0], waiting: null, attempts: [] });
  });

  it('of another tenant is as absent as one that never was', async () => {
    const eventId = bundle.addEvent('acme', ['failed']);
    const deliveryId = bundle.events.get(eventId)!.deliveries[0]!.deliveryId;
    const answers = [
      await bundle.get(`/events/${eventId}`, OTHER_KEY),
      await bundle.post(`/events/${eventId}/replay`, {}, OTHER_KEY),
      await bundle.get(`/deliveries/${deliveryId}`, OTHER_KEY),
      await bundle.post(`/dlq/${deliveryId}/retry`, undefined, OTHER_KEY),
    ];
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [404, 'event_not_found'],
      [404, 'event_not_found'],
      [404, 'delivery_not_found'],
      [404, 'delivery_not_found'],
    ]);
    expect(bundle.sent).toEqual([]);
  });

  it('is 503 while Postgres is away, and 500 when the question was wrong', async () => {
    const eventId = bundle.addEvent('acme', []);
    await bundle.get('/quotas/acme');
    bundle.failStore = Object.assign(new Error('no'), { code: '57P01' });
    const away = await bundle.get(`/events/${eventId}`);
    expect([away.status, away.body.code, away.headers['retry-after']]).toEqual([
      503,
      'database_unavailable',
      '1',
    ]);
    bundle.failStore = Object.assign(new Error('no such column'), { code: '42703' });
    const wrong = await bundle.get(`/events/${eventId}`);
    expect([wrong.status, wrong.body.code]).toEqual([500, 'internal']);
  });
});

describe('a replay', () => {
  it('of an event asks for all of its webhooks, 64 in a record', async () => {
    const eventId = bundle.addEvent('acme', Array(70).fill('success'));
    const { status, body } = await bundle.post(`/events/${eventId}/replay`, undefined, ACME_KEY);
    expect(status).toBe(202);
    expect(body).toEqual({ event_id: eventId, replay_id: body.replay_id, webhooks_queued: 70 });
    expect(bundle.sent.map((record) => record.headers.ph_slots?.split(',').length)).toEqual([64, 6]);
    const [record] = bundle.sent;
    expect(record).toMatchObject({ topic: 'replay', key: 'acme', partition: tenantPartition('acme', 4) });
    expect(record?.headers.ph_replay_id).toBe(body.replay_id);
    expect(record?.value?.toString()).toBe('{"id": 12345678901234567890}');
    const { revision } = bundle.tenants.get('acme')!;
    expect(decodeEvent(record!.headers)).toMatchObject({ eventId, revision, labels: { region: 'eu' } });
    for (const { headers, value } of bundle.sent) expect(hasValidMac(MAC_KEY, headers, value!)).toBe(true);
  });

  it('asks for chosen webhooks, and refuses those that never had the event', async () => {
    const eventId = bundle.addEvent('acme', ['success', 'failed']);
    const chosen = bundle.events.get(eventId)!.deliveries[1]!.endpointId;
    const { status } = await bundle.post(`/events/${eventId}/replay`, { webhook_ids: [chosen, chosen] });
    expect([status, bundle.sent[0]?.headers.ph_slots]).toEqual([202, chosen]);
    const strange = await bundle.post(`/events/${eventId}/replay`, { webhook_ids: [chosen, 'ep_x'] });
    expect(strange.body).toMatchObject({ code: 'invalid_request', errors: [{ pointer: '/webhook_ids/1' }] });
  });

  it('is 503 when Kafka does not take it', async () => {
    const eventId = bundle.addEvent('acme', ['success']);
    bundle.failSend = new ProduceError('not_accepted', 'away');
    const { status, body } = await bundle.post(`/events/${eventId}/replay`, {});
    expect([status, body.code]).toEqual([503, 'not_accepted']);
  });
});

describe('dead letters', () => {
  const deadLetter = (n: number, tenantId = 'acme') => {
    const eventId = bundle.addEvent(tenantId, ['failed']);
    const [delivery] = bundle.events.get(eventId)!.deliveries;
    bundle.deadLetters.push({
      ...delivery!,
      reason: 'attempts_exhausted',
      lastFailure: 'http_5xx',
      lastStatus: 503,
      lastError: `failure ${n}`,
      attempts: 6,
      failedAt: new Date(bundle.clock.nowMs()),
      topic: 'dead-letters',
      partition: 0,
      offset: n,
    });
    return delivery!;
  };

  it('are listed page by page', async () => {
    for (let n = 0; n < 5; n++) deadLetter(n);
    deadLetter(9, 'other');
    const first = await bundle.get('/v1/dlq?limit=2&event_type=order.created', ACME_KEY);
    expect(first.body).toMatchObject({ total: 5, limit: 2, offset: 0 });
    expect(first.body.entries[0]).toMatchObject({
      last_error: 'failure 0',
      last_status: 503,
      attempts: 6,
      reason: 'attempts_exhausted',
    });
    expect(first.body.next).toBe('/v1/dlq?limit=2&event_type=order.created&offset=2');
    const last = await bundle.get('/v1/dlq?limit=2&offset=4', ACME_KEY);
    expect([last.body.entries.length, last.body.next]).toEqual([1, null]);
    expect((await bundle.get('/dlq?limit=10')).body.total).toBe(6);
    expect((await bundle.get('/dlq?tenant_id=other')).body.total).toBe(1);
    expect((await bundle.get('/dlq?tenant_id=other', ACME_KEY)).body.code).toBe('tenant_not_found');
  });

  it('are retried by one record of their own', async () => {
    const { deliveryId, eventId, endpointId } = deadLetter(1);
    const { status, body } = await bundle.post(`/dlq/${deliveryId}/retry`, undefined, ACME_KEY);
    expect(status).toBe(202);
    expect(body).toMatchObject({ delivery_id: deliveryId, event_id: eventId, webhook_id: endpointId });
    expect(bundle.sent).toHaveLength(1);
    const [record] = bundle.sent;
    expect(record?.headers.ph_slots).toBe(endpointId);
    expect(decodeReplay(record!.headers).expect).toEqual({ run: 0, round: 0 });
    expect(hasValidMac(MAC_KEY, record!.headers, record!.value!)).toBe(true);
  });

  it('are 409 when they are none, and 410 when the payload is gone', async () => {
    const eventId = bundle.addEvent('acme', ['success']);
    const delivered = bundle.events.get(eventId)!.deliveries[0]!.deliveryId;
    expect((await bundle.post(`/dlq/${delivered}/retry`, {})).body.code).toBe('not_a_dead_letter');
    const { deliveryId, eventId: expired } = deadLetter(1);
    const recorded = bundle.events.get(expired)!;
    bundle.events.set(expired, { ...recorded, event: null as never });
    const { status, body } = await bundle.post(`/dlq/${deliveryId}/retry`, {});
    expect([status, body.code]).toEqual([410, 'payload_expired']);
    const never = deriveDeliveryId(eventId, 'ep_x', 0);
    expect((await bundle.post(`/dlq/${never}/retry`, {})).body.code).toBe('delivery_not_found');
  });
});

describe('health', () => {
  it('is 200 and degraded while Postgres is away', async () => {
    expect((await bundle.get('/health')).body).toEqual({ status: 'ok', components: { postgres: 'up' } });
    bundle.failStore = new Error('away');
    for (const path of ['/health', '/v1/health', '/readyz']) {
      const { status, body } = await bundle.get(path);
      expect([status, body.status]).toEqual([200, 'degraded']);
    }
    expect((await bundle.get('/livez')).status).toBe(200);
  });
});
