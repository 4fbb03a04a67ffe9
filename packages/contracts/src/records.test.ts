import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RecordFormatError } from './header-fields.ts';
import { mintEndpointId, mintEventId } from './ids.ts';
import {
  bouncesOf,
  type DeadLetterMeta,
  decodeDeadLetter,
  decodeDelivery,
  decodeEvent,
  decodeSlots,
  decodeWait,
  type EventMeta,
  encodeDeadLetter,
  encodeDelivery,
  encodeEvent,
  encodeWait,
  eventHeaders,
  withoutWait,
} from './records.ts';
import { MAX_SLOTS } from './topics.ts';

const event: EventMeta = {
  eventId: mintEventId(1_700_000_000_000),
  tenantId: 'acme',
  type: 'order.created',
  labels: { env: 'prod' },
  occurredAt: '2026-01-01T00:00:00.000Z',
  contentType: 'application/json',
  revision: 7,
  retentionDays: 30,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};
const endpoints = [mintEndpointId(1), mintEndpointId(2)];
const counts = fc.nat(1_000_000);

describe('an event', () => {
  test('comes back as it went in', () => {
    const labels = fc.dictionary(fc.string(), fc.string(), { maxKeys: 5, noNullPrototype: true });
    fc.assert(
      fc.property(
        labels,
        counts,
        fc.string({ unit: 'grapheme', minLength: 1 }),
        (some, revision, occurredAt) => {
          const meta = { ...event, labels: some, revision, occurredAt };
          expect(decodeEvent(encodeEvent(meta))).toEqual(meta);
        },
      ),
    );
  });

  test('for chosen endpoints names them, and what it leads to does not', () => {
    const headers = encodeEvent({ ...event, only: endpoints });
    expect(headers.ph_only).toBe(endpoints.join(','));
    expect(decodeEvent(headers).only).toEqual(endpoints);
    expect(eventHeaders(headers)).not.toHaveProperty('ph_only');
  });

  test('carries the id that its sender gave it, if that is one', () => {
    const clientEventId = 'order 42 · ü';
    const headers = encodeEvent({ ...event, clientEventId });
    expect(decodeEvent(headers)).toEqual({ ...event, clientEventId });
    expect(() => decodeEvent({ ...headers, ce_clientid: 'a\nb' })).toThrow(/ce_clientid/);
  });

  test('for system endpoints says which configuration they are matched by, and whose event it is', () => {
    const stamped = { ...event, systemRevision: 12, systemOnly: true as const };
    expect(decodeEvent(encodeEvent(stamped))).toEqual(stamped);
    const copy = { ...event, tenantId: 'posthorn', sourceTenantId: 'acme' };
    expect(decodeEvent(eventHeaders(encodeEvent({ ...copy, ...stamped, tenantId: 'posthorn' })))).toEqual(
      copy,
    );
  });

  test('follows the CloudEvents Kafka binding in binary mode', () => {
    expect(encodeEvent(event)).toMatchObject({
      ce_specversion: '1.0',
      ce_id: event.eventId,
      ce_type: 'order.created',
      ce_source: '/posthorn',
      ce_time: event.occurredAt,
      'content-type': 'application/json',
    });
  });

  test('without labels or trace has no header for labels and an empty trace', () => {
    const { traceparent: _, ...headers } = encodeEvent({ ...event, labels: {} });
    expect(headers).not.toHaveProperty('ce_labels');
    expect(decodeEvent(headers)).toMatchObject({ labels: {}, traceparent: '' });
  });

  test.each([
    ['ph_v', '2', /ph_v is "2"/],
    ['ph_v', undefined, /ph_v is missing/],
    ['ce_id', 'not-an-id', /ce_id is "not-an-id"/],
    ['ce_id', undefined, /ce_id is missing/],
    ['ce_tenant', '../acme', /ce_tenant/],
    ['ce_type', '', /ce_type is missing/],
    ['ph_revision', '-1', /ph_revision is "-1", not a count/],
    ['ph_retention', '1e3', /ph_retention/],
    ['ce_labels', '[]', /ce_labels/],
    ['ph_only', 'ep_1', /ph_only names "ep_1"/],
    ['ph_system_revision', '-1', /ph_system_revision/],
    ['ph_source_tenant', '../acme', /ph_source_tenant/],
    ['ph_only', Array.from({ length: MAX_SLOTS + 1 }, (_, i) => mintEndpointId(i)).join(), /65 endpoints/],
    ['ce_labels', 'null', /ce_labels/],
    ['ce_labels', '{', /ce_labels/],
  ])('whose %s is %j is refused by name', (name, value, message) => {
    const headers = { ...encodeEvent(event), [name]: value } as Record<string, string>;
    expect(() => decodeEvent(headers)).toThrow(message);
    expect(() => decodeEvent(headers)).toThrow(RecordFormatError);
  });

  test('an error quotes no more than 80 characters of what it found', () => {
    const headers = { ...encodeEvent(event), ce_tenant: 'x'.repeat(10_000) };
    expect(() => decodeEvent(headers)).toThrow(/^.{1,120}$/);
  });
});

describe('a delivery', () => {
  test('comes back as it went in', () => {
    const slots = fc.array(fc.nat(1e9).map(mintEndpointId), { minLength: 1, maxLength: MAX_SLOTS });
    fc.assert(
      fc.property(
        slots,
        counts,
        counts,
        fc.integer({ min: 1, max: 1_000 }),
        counts,
        (some, run, round, attempt, lane) => {
          const meta = { slots: some, run, round, attempt, lane };
          expect(decodeDelivery(encodeDelivery(meta))).toEqual(meta);
        },
      ),
    );
  });

  const headers = encodeDelivery({ slots: endpoints, run: 0, round: 0, attempt: 1, lane: 3 });
  test.each([
    ['ph_slots', ''],
    ['ph_slots', 'ep_1'],
    ['ph_slots', `${endpoints[0]},`],
    [
      'ph_slots',
      Array(MAX_SLOTS + 1)
        .fill(endpoints[0])
        .join(),
    ],
    ['ph_attempt', '0'],
    ['ph_attempt', 'x'],
    ['ph_run', '1.5'],
    ['ph_lane', '9'.repeat(16)],
  ])('whose %s is %j is refused', (name, value) => {
    expect(() => decodeDelivery({ ...headers, [name]: value })).toThrow(RecordFormatError);
  });

  test('names its endpoints also where the rest is not asked for', () => {
    expect(decodeSlots({ ph_slots: endpoints.join() })).toEqual(endpoints);
  });
});

describe('a wait', () => {
  test('comes back as it went in', () => {
    fc.assert(
      fc.property(
        counts,
        counts,
        fc.constantFrom('deliveries' as const, 'events' as const),
        (delayMs, bounces, returnTo) => {
          const meta = { delayMs, returnTo, bounces };
          expect(decodeWait(encodeWait(meta))).toEqual(meta);
        },
      ),
    );
  });

  // A remainder is a difference of clocks: "1499.73" would have been refused by the next reader.
  test.each([
    [1_499.73, 1_500],
    [-3, 0],
  ])('of %d ms is written as %d', (delayMs, written) => {
    expect(decodeWait(encodeWait({ delayMs, returnTo: 'deliveries', bounces: 0 })).delayMs).toBe(written);
  });

  test('that returns to another topic is refused', () => {
    const headers = { ...encodeWait({ delayMs: 1, returnTo: 'events', bounces: 0 }), ph_return: 'journal' };
    expect(() => decodeWait(headers)).toThrow(/ph_return is "journal"/);
  });

  test('leaves its bounces behind and takes the rest with it', () => {
    const wait = encodeWait({ delayMs: 1, returnTo: 'events', bounces: 4 });
    const headers = { ce_id: 'x', ph_crowded: '3', ...wait };
    expect(withoutWait(headers)).toEqual({ ce_id: 'x', ph_bounces: '4' });
  });
});

describe('a dead letter', () => {
  const meta: DeadLetterMeta = {
    reason: 'attempts_exhausted',
    lastFailure: 'http_5xx',
    lastStatus: 503,
    lastError: 'service unavailable',
    attempts: 6,
    failedAtMs: 1_700_000_000_000,
  };

  test.each([
    ['with a status', meta],
    ['without one', { ...meta, lastStatus: null, lastError: '' }],
  ])('comes back as it went in, %s', (_, given) => {
    expect(decodeDeadLetter(encodeDeadLetter(given))).toEqual(given);
  });

  test('without its last words is still one', () => {
    const { ph_reason, ph_attempts, ph_failed_at_ms } = encodeDeadLetter(meta);
    expect(
      decodeDeadLetter({
        ph_reason: ph_reason!,
        ph_attempts: ph_attempts!,
        ph_failed_at_ms: ph_failed_at_ms!,
      }),
    ).toEqual({
      ...meta,
      lastFailure: '',
      lastStatus: null,
      lastError: '',
    });
  });

  test('without a reason is refused', () => {
    expect(() => decodeDeadLetter({ ...encodeDeadLetter(meta), ph_reason: '' })).toThrow(
      /ph_reason is missing/,
    );
  });
});

test("the next hop starts from the event's own headers alone", () => {
  const own = encodeEvent(event);
  const later = {
    ...own,
    ...encodeDelivery({ slots: endpoints, run: 1, round: 2, attempt: 3, lane: 4 }),
    ...encodeWait({ delayMs: 5, returnTo: 'deliveries', bounces: 6 }),
    stray: 'x',
  };
  expect(eventHeaders(later)).toEqual(own);
});

test('bounces are counted from 0 where nobody has written a count', () => {
  expect(['4', '', '-3', '3x', '1e3'].map((ph_bounces) => bouncesOf({ ph_bounces }))).toEqual([
    4, 0, 0, 0, 0,
  ]);
  expect(bouncesOf({})).toBe(0);
});
