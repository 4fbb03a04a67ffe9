import { decodeEvent } from '@posthorn/contracts';
import { ProduceError } from '@posthorn/kafka';
import { beforeEach, describe, expect, it } from 'vitest';
import { ACME_KEY, type Bundle, OPERATOR_KEY, setup } from '../../../test/setup.ts';

const DAY_MS = 86_400_000;
const event = { tenant_id: 'acme', type: 'order.created', payload: { n: 1 } };
const withId = { ...event, event_id: 'order 42' };

let bundle: Bundle;
beforeEach(async () => {
  bundle = await setup();
  bundle.addTenant('acme', { maxEventsPerSec: 100 });
});

async function post(body: unknown, key?: string | string[], apiKey = ACME_KEY) {
  const response = await bundle.app.inject({
    method: 'POST',
    url: '/v1/events',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    payload: JSON.stringify(body),
  });
  return {
    status: response.statusCode,
    headers: response.headers,
    text: response.body,
    body: response.json(),
  };
}

describe('the same key again', () => {
  it('gives the same answer and makes no second event', async () => {
    bundle.addEndpoint('acme');
    const first = await post(event, 'k');
    bundle.addEndpoint('acme');
    const again = await post(event, 'k');
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(again.text).toBe(first.text);
    expect(bundle.sent).toHaveLength(1);
  });

  it('with another body is refused, whitespace counts', async () => {
    await post(event, 'k');
    const { status, body } = await post({ ...event, payload: { n: 2 } }, 'k');
    expect([status, body.code]).toEqual([422, 'idempotency_mismatch']);
    expect(bundle.sent).toHaveLength(1);
  });

  it('is another tenant’s own', async () => {
    bundle.addTenant('other');
    const mine = await post(event, 'k', OPERATOR_KEY);
    const theirs = await post({ ...event, tenant_id: 'other' }, 'k', OPERATOR_KEY);
    expect([mine.status, theirs.status]).toEqual([202, 202]);
    expect(theirs.body.event_id).not.toBe(mine.body.event_id);
  });

  it('is a new one a day later', async () => {
    const first = await post(event, 'k');
    bundle.clock.advance(DAY_MS - 1);
    expect((await post(event, 'k')).body.event_id).toBe(first.body.event_id);
    bundle.clock.advance(1);
    expect((await post({ ...event, payload: 2 }, 'k')).status).toBe(202);
    expect(bundle.sent).toHaveLength(2);
  });

  it('is no event of his rate', async () => {
    bundle.addTenant('acme', { maxEventsPerSec: 1 });
    const answers = [await post(event, 'k'), await post(event, 'k'), await post(event, 'other')];
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 429]);
  });
});

describe('an event with an id of its sender’s', () => {
  it('carries it, and is taken once', async () => {
    const first = await post(withId);
    const again = await post(withId);
    expect(first.status).toBe(202);
    expect(again.text).toBe(first.text);
    expect(bundle.sent).toHaveLength(1);
    expect(decodeEvent(bundle.sent[0]!.headers).clientEventId).toBe('order 42');
  });

  it('is refused with another body, also under another key', async () => {
    await post(withId, 'k');
    expect((await post({ ...withId, payload: 2 })).body.code).toBe('idempotency_mismatch');
    expect((await post({ ...withId, payload: 2 }, 'other')).body.code).toBe('idempotency_mismatch');
    expect((await post(withId, 'other')).status).toBe(202);
    expect(bundle.sent).toHaveLength(1);
  });

  it('is known by source and id together when it is a CloudEvent', async () => {
    const send = (source: string, traceparent: string, n: number) =>
      bundle.app.inject({
        method: 'POST',
        url: '/v1/events',
        headers: {
          authorization: `Bearer ${ACME_KEY}`,
          'content-type': 'application/json',
          'ce-specversion': '1.0',
          'ce-type': 'order.created',
          'ce-id': '42',
          'ce-source': source,
          'ce-traceparent': traceparent,
        },
        payload: JSON.stringify({ n }),
      });
    const [one, two] = ['1', '2'].map((id) => `00-${'a'.repeat(32)}-${id.repeat(16)}-01`);
    const first = await send('/shop', one!, 1);
    expect(first.statusCode).toBe(202);
    expect((await send('/shop', two!, 1)).body).toBe(first.body);
    expect((await send('/shop', one!, 2)).statusCode).toBe(422);
    expect((await send('/store', one!, 2)).statusCode).toBe(202);
  });

  it.each(['', 'x'.repeat(257), 'a\nb', 7])('is refused when that is %j', async (eventId) => {
    const { status, body } = await post({ ...event, event_id: eventId });
    expect(status).toBe(400);
    expect(body.errors).toEqual([expect.objectContaining({ pointer: '/event_id' })]);
  });
});

describe('a key that cannot be one', () => {
  it.each([
    ['empty', ''],
    ['too long', 'x'.repeat(256)],
    ['not ASCII', 'größe'],
    ['with a tab', 'a\tb'],
    ['there twice', ['a', 'b']],
  ])('is refused: %s', async (_name, key) => {
    const { status, body } = await post(event, key);
    expect([status, body.code]).toEqual([400, 'invalid_idempotency_key']);
    expect(bundle.sent).toEqual([]);
  });

  it('is one with quotes, spaces and 255 characters', async () => {
    const key = `"${'a b, '.repeat(50)}xyz"`;
    expect(key).toHaveLength(255);
    expect((await post(event, key)).status).toBe(202);
  });
});

describe('a request that made no event', () => {
  it('leaves its key free when Kafka has certainly not taken it', async () => {
    bundle.failSend = new ProduceError('not_accepted', 'away');
    expect((await post(event, 'k')).body.code).toBe('not_accepted');
    bundle.failSend = null;
    expect((await post({ ...event, payload: 2 }, 'k')).status).toBe(202);
  });

  it('leaves its key free when it was refused', async () => {
    bundle.addTenant('acme', { maxEventsPerSec: 1 });
    await post(event);
    expect((await post(event, 'k')).body.code).toBe('event_quota_exceeded');
    bundle.clock.advance(1_000);
    expect((await post({ ...event, payload: 2 }, 'k')).status).toBe(202);
  });

  it('holds its key while it is not known, until the record has all and does not have it', async () => {
    bundle.failSend = new ProduceError('outcome_unknown', 'reply lost');
    expect((await post(event, 'k')).body.code).toBe('outcome_unknown');
    bundle.failSend = null;
    const early = await post(event, 'k');
    expect([early.status, early.body.code]).toEqual([409, 'idempotency_in_progress']);
    expect(Number(early.headers['retry-after'])).toBeGreaterThan(0);
    bundle.clock.advance(10_000);
    expect((await post(event, 'k')).status).toBe(202);
    expect(bundle.sent).toHaveLength(1);
  });

  it('is found in the record when it was made all the same', async () => {
    const endpointId = bundle.addEndpoint('acme');
    const { revision } = bundle.tenants.get('acme')!;
    bundle.failSend = new ProduceError('outcome_unknown', 'reply lost');
    await post(event, 'k');
    bundle.failSend = null;
    const [claim] = await bundle.claims.find('acme', { idempotencyKey: 'k', clientEventId: null });
    bundle.claims.recorded.set(claim!.eventId, revision);
    bundle.addEndpoint('acme');
    bundle.clock.advance(10_000);
    const { status, body } = await post(event, 'k');
    expect(status).toBe(202);
    expect(body).toMatchObject({ event_id: claim!.eventId, webhooks_queued: 1 });
    expect(body.delivery_ids[0]).toContain(claim!.eventId);
    expect(endpointId).toBeDefined();
    expect(bundle.sent).toEqual([]);
  });
});

describe('when Postgres is away', () => {
  beforeEach(async () => {
    await bundle.get('/quotas/acme', ACME_KEY);
    bundle.failStore = Object.assign(new Error('away'), { code: 'ECONNREFUSED' });
  });

  it('only events with a key or an id are refused', async () => {
    const answers = [await post(event, 'k'), await post(withId), await post(event)];
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [503, 'database_unavailable'],
      [503, 'database_unavailable'],
      [202, undefined],
    ]);
    expect(answers[0]!.headers['retry-after']).toBe('1');
    expect(bundle.sent).toHaveLength(1);
  });
});
