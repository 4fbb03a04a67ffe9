import { acceptedAtMs, deriveEventId, type Headers } from '@posthorn/contracts';
import { describe, expect, test } from 'vitest';
import { fakeRecord } from '../../test/fakes.ts';
import { readInbound } from './read-inbound.ts';

const APPENDED_MS = 1_700_000_000_000;
const HEADERS: Headers = {
  ce_specversion: '1.0',
  ce_id: '17',
  ce_source: '/shop',
  ce_type: 'order.created',
  ce_tenant: 'acme',
};

const read = (headers: Headers, value: Buffer = Buffer.from('{}')) =>
  readInbound(
    fakeRecord({ topic: 'inbound', partition: 2, offset: 9, timestampMs: APPENDED_MS, headers, value }),
  );
const without = (name: string): Headers => {
  const { [name]: _, ...rest } = HEADERS;
  return rest;
};

test('an event is what its attributes say, and what is not said is what the broker knows', () => {
  const event = read(HEADERS);
  expect(event).toEqual({
    eventId: deriveEventId(APPENDED_MS, { topic: 'inbound', partition: 2, offset: 9 }),
    tenantId: 'acme',
    type: 'order.created',
    labels: {},
    occurredAt: new Date(APPENDED_MS).toISOString(),
    contentType: 'application/json',
    clientEventId: '/shop 17',
    traceparent: '',
  });
  expect(acceptedAtMs(event.eventId)).toBe(APPENDED_MS);
});

test('labels, time, media type and trace are taken', () => {
  const given = {
    ...HEADERS,
    ce_labels: '{"region":"eu"}',
    ce_time: '2026-11-22T12:00:00.5+02:00',
    'content-type': 'text/plain; charset=utf-8',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  };
  expect(read(given, Buffer.from('no JSON'))).toMatchObject({
    labels: { region: 'eu' },
    occurredAt: '2026-11-22T10:00:00.500Z',
    contentType: 'text/plain; charset=utf-8',
    traceparent: given.traceparent,
  });
});

test('what is ours to say is not taken from others', () => {
  const event = read({
    ...HEADERS,
    ph_only: 'ep_00000000000000000000000000000000',
    ph_revision: '1',
    ph_deliver_at_ms: '0',
    ph_source_tenant: 'other',
    ph_system_revision: '1',
  });
  expect(Object.keys(event).sort()).toEqual(Object.keys(read(HEADERS)).sort());
});

describe('what breaks a rule is refused', () => {
  test.each([
    ['ce_specversion', '0.3', /CloudEvents in binary mode/],
    ['ce_tenant', '../acme', /ce_tenant is "..\/acme"/],
    ['ce_type', 'Order', /ce_type is "Order"/],
    ['ce_source', '', /ce_source is ""/],
    ['ce_id', 'x\ny', /make no id together/],
    ['ce_time', 'yesterday', /ce_time is no time/],
    ['ce_time', '2026-13-01T00:00:00Z', /ce_time is no time/],
    ['ce_time', '2026-02-30T00:00:00Z', /ce_time is no time/],
    ['ce_time', '0000-01-01T00:00:00Z', /ce_time is no time/],
    ['ce_time', '9999-12-31T23:59:59-01:00', /ce_time is no time/],
    ['ce_labels', '[]', /no JSON object/],
    ['ce_labels', '{', /no JSON object/],
    ['ce_labels', 'null', /no JSON object/],
    ['ce_labels', '{"a":1}', /unusable label "a"/],
    ['ce_labels', '{"__proto__":"x"}', /unusable label "__proto__"/],
    ['ce_labels', '{"a":"x\\u0000"}', /unusable label "a"/],
    [
      'ce_labels',
      JSON.stringify(Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`k${i}`, '']))),
      /21/,
    ],
    ['content-type', 'json', /no media type/],
  ])('%s: %s', (name, value, message) => {
    expect(() => read({ ...HEADERS, [name]: value })).toThrow(message);
  });

  test.each(['ce_specversion', 'ce_id', 'ce_source', 'ce_type', 'ce_tenant'])('no %s', (name) => {
    expect(() => read(without(name))).toThrow(name);
  });

  test.each([
    ['empty', Buffer.alloc(0)],
    ['no JSON', Buffer.from('{"a":}')],
    ['no UTF-8', Buffer.from([0x22, 0xc3, 0x22])],
    ['with a byte order mark', Buffer.from('\uFEFF{}')],
  ])('a payload that is %s', (_, value) => {
    expect(() => read(HEADERS, value)).toThrow(/not the JSON/);
  });

  test('a payload that is too large, whatever else it is', () => {
    expect(() => read({}, Buffer.alloc(256 * 1024 + 1))).toThrow(/262145 bytes/);
  });
});
