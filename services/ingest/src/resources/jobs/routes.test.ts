import { deriveDeliveryId, mintEndpointId } from '@posthorn/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { MAX_FAKE_JOBS } from '../../../test/fake-engine.ts';
import { ACME_KEY, type Bundle, OTHER_KEY, setup } from '../../../test/setup.ts';

let bundle: Bundle;
beforeEach(async () => {
  bundle = await setup();
  bundle.addTenant('acme');
  bundle.addTenant('other');
});

const SINCE = '2026-01-01T00:00:00Z';

async function webhook(): Promise<string> {
  const body = { tenant_id: 'acme', url: 'https://a.example/' };
  return (await bundle.post('/webhooks', body, ACME_KEY)).body.webhook_id;
}

describe('a job', () => {
  it('is made of filters, and shown with its progress', async () => {
    const webhookId = await webhook();
    const eventId = bundle.addEvent('acme', ['failed']);
    const { deliveryId } = bundle.events.get(eventId)!.deliveries[0]!;
    const filters = { webhook_id: webhookId, event_type: 'order.created', reason: 'circuit_open' };
    const wish = { ...filters, since: '2026-01-01T01:00:00+01:00', delivery_ids: [deliveryId, deliveryId] };
    const { status, body } = await bundle.post('/v1/dlq/retry', { ...wish, rate_per_sec: 7 }, ACME_KEY);
    expect(status).toBe(202);
    expect(body).toMatchObject({
      tenant_id: 'acme',
      kind: 'dead_letters',
      state: 'queued',
      rate_per_sec: 7,
      filters: { ...filters, since: '2026-01-01T00:00:00.000Z', delivery_ids: [deliveryId] },
      done: 0,
      refused: 0,
    });
    const [job] = bundle.engine.jobs;
    bundle.engine.jobs[0] = { ...job!, state: 'running', total: 100, done: 40, refused: 4 };
    const shown = await bundle.get(`/jobs/${body.job_id}`, ACME_KEY);
    expect(shown.body).toMatchObject({ state: 'running', total: 100, done: 40, refused: 4, eta_seconds: 8 });
    expect((await bundle.get('/jobs', ACME_KEY)).body.data).toEqual([shown.body]);
  });

  it('is not made by a dry run, which counts and shows some', async () => {
    bundle.engine.candidates.push(
      ...Array.from({ length: 12 }, () => ({ event_id: 'e', webhook_id: 'w', event_type: 'a', reason: 'r' })),
    );
    const { status, body } = await bundle.post('/dlq/retry', { dry_run: true }, ACME_KEY);
    expect(status).toBe(200);
    expect([body.dry_run, body.total, body.sample.length]).toEqual([true, 12, 10]);
    expect(bundle.engine.jobs).toEqual([]);
  });

  it.each([
    ['recover', 'recover'],
    ['replay-missing', 'missing'],
  ])('of %s is for one webhook and a span', async (path, kind) => {
    const id = await webhook();
    const { status, body } = await bundle.post(`/webhooks/${id}/${path}`, { since: SINCE }, ACME_KEY);
    expect(status).toBe(202);
    expect(body).toMatchObject({ kind, tenant_id: 'acme', filters: { webhook_id: id } });
    await bundle.call('PATCH', `/webhooks/${id}`, { enabled: false });
    const refused = await bundle.post(`/webhooks/${id}/${path}`, { since: SINCE }, ACME_KEY);
    expect([refused.status, refused.body.code]).toEqual([409, 'webhook_disabled']);
  });

  it('of a span that ends before it begins is refused', async () => {
    const span = { since: '2026-01-02T00:00:00Z', until: SINCE };
    const { body } = await bundle.post('/dlq/retry', span, ACME_KEY);
    expect(body).toMatchObject({ code: 'invalid_request', errors: [{ pointer: '/until' }] });
  });

  it('is cancelled until it is over', async () => {
    const { body } = await bundle.post('/dlq/retry', {}, ACME_KEY);
    const cancelled = await bundle.post(`/jobs/${body.job_id}/cancel`, undefined, ACME_KEY);
    expect([cancelled.status, cancelled.body.state, cancelled.body.eta_seconds]).toEqual([
      200,
      'cancelled',
      null,
    ]);
    const again = await bundle.post(`/jobs/${body.job_id}/cancel`, undefined, ACME_KEY);
    expect([again.status, again.body.code]).toEqual([409, 'job_finished']);
  });

  it('is one of a bounded number', async () => {
    for (let i = 0; i < MAX_FAKE_JOBS; i++) await bundle.post('/dlq/retry', {}, ACME_KEY);
    const { status, body } = await bundle.post('/dlq/retry', {}, ACME_KEY);
    expect([status, body.code, body.limit]).toEqual([409, 'too_many_jobs', MAX_FAKE_JOBS]);
  });

  it('of another tenant is as absent as one that never was', async () => {
    const { body } = await bundle.post('/dlq/retry', {}, ACME_KEY);
    for (const answer of [
      await bundle.get(`/jobs/${body.job_id}`, OTHER_KEY),
      await bundle.post(`/jobs/${body.job_id}/cancel`, undefined, OTHER_KEY),
    ])
      expect([answer.status, answer.body.code]).toEqual([404, 'job_not_found']);
    expect((await bundle.get('/jobs', OTHER_KEY)).body.data).toEqual([]);
    expect((await bundle.get('/jobs?tenant_id=acme', OTHER_KEY)).body.code).toBe('tenant_not_found');
    const foreign = await bundle.post('/dlq/retry', { tenant_id: 'acme' }, OTHER_KEY);
    expect([foreign.status, foreign.body.code]).toEqual([404, 'tenant_not_found']);
  });
});

describe('what is cancelled', () => {
  it('of a tenant, a webhook or an event is in the journal with the revision of the change', async () => {
    const webhookId = await webhook();
    const eventId = bundle.addEvent('acme', ['pending']);
    for (const path of ['/tenants/acme', `/webhooks/${webhookId}`, `/events/${eventId}`]) {
      const { status, body } = await bundle.post(`${path}/cancel`, undefined, ACME_KEY);
      expect(status).toBe(202);
      expect(bundle.journaled.at(-1)).toEqual({
        kind: 'purged',
        tenantId: 'acme',
        endpointId: body.webhook_id,
        eventId: body.event_id,
        revision: body.revision,
        atMs: bundle.clock.nowMs(),
      });
    }
    expect(bundle.engine.cancellations).toEqual([
      { tenantId: 'acme', endpointId: null, eventId: null },
      { tenantId: 'acme', endpointId: webhookId, eventId: null },
      { tenantId: 'acme', endpointId: null, eventId },
    ]);
  });

  it('is never another tenant’s, nor what never was', async () => {
    const eventId = bundle.addEvent('acme', ['pending']);
    const codes = [
      (await bundle.post(`/events/${eventId}/cancel`, undefined, OTHER_KEY)).body.code,
      (await bundle.post('/tenants/acme/cancel', undefined, OTHER_KEY)).body.code,
      (await bundle.post('/tenants/nobody/cancel', undefined)).body.code,
    ];
    expect(codes).toEqual(['event_not_found', 'tenant_not_found', 'tenant_not_found']);
    expect(bundle.engine.cancellations).toEqual([]);
    expect(bundle.journaled).toEqual([]);
  });

  it('is 503 while Kafka does not take it or a replica does not know it', async () => {
    bundle.failJournal = true;
    const unwritten = await bundle.post('/tenants/acme/cancel', undefined);
    expect([unwritten.status, unwritten.body.code]).toEqual([503, 'outcome_unknown']);
    bundle.failJournal = false;
    bundle.neverApplied = true;
    expect((await bundle.post('/tenants/acme/cancel', undefined)).body.code).toBe('change_unconfirmed');
  });
});

describe('a dead letter', () => {
  it('is removed by an entry in the journal, after an audit row', async () => {
    const eventId = bundle.addEvent('acme', ['failed', 'success']);
    const [dead, alive] = bundle.events.get(eventId)!.deliveries;
    const { status, body } = await bundle.call('DELETE', `/v1/dlq/${dead!.deliveryId}`, undefined, ACME_KEY);
    expect([status, body]).toEqual([202, { delivery_id: dead!.deliveryId }]);
    expect(bundle.journaled).toEqual([
      {
        kind: 'dead_letter_removed',
        tenantId: 'acme',
        deliveryId: dead!.deliveryId,
        reason: 'person',
        atMs: bundle.clock.nowMs(),
      },
    ]);
    expect(bundle.engine.audited).toEqual([
      { action: 'dead_letter.removal_requested', subject: dead!.deliveryId, actor: 'key_acme' },
    ]);
    const refused = await bundle.call('DELETE', `/dlq/${alive!.deliveryId}`);
    expect([refused.status, refused.body.code]).toEqual([409, 'not_a_dead_letter']);
    const foreign = await bundle.call('DELETE', `/dlq/${dead!.deliveryId}`, undefined, OTHER_KEY);
    expect([foreign.status, foreign.body.code]).toEqual([404, 'delivery_not_found']);
    const never = deriveDeliveryId(eventId, mintEndpointId(0), 3);
    expect((await bundle.call('DELETE', `/dlq/${never}`)).body.code).toBe('delivery_not_found');
    expect(bundle.journaled).toHaveLength(1);
  });
});
