import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  acceptedAtMs,
  dayOf,
  deriveDeliveryId,
  deriveEventId,
  isClientEventId,
  isDeliveryId,
  isEndpointId,
  isEventId,
  isTenantId,
  mintEndpointId,
  mintEventId,
} from './ids.ts';

const MAX_TIME_MS = 2 ** 48 - 1;
const time = fc.integer({ min: 0, max: MAX_TIME_MS });

test('an event id is a UUIDv7 that gives its time back', () => {
  fc.assert(
    fc.property(time, (nowMs) => {
      const id = mintEventId(nowMs);
      expect(isEventId(id)).toBe(true);
      expect(acceptedAtMs(id)).toBe(nowMs);
    }),
  );
});

test('event ids sort by their time', () => {
  fc.assert(fc.property(time, time, (a, b) => a === b || a < b === mintEventId(a) < mintEventId(b)));
});

test('ids of one millisecond differ, also beyond one pool of random bytes', () => {
  const ids = new Set(Array.from({ length: 2_000 }, () => mintEventId(1)));
  expect(ids.size).toBe(2_000);
});

test('an endpoint id is well-formed and holds its time', () => {
  const id = mintEndpointId(1_700_000_000_000);
  expect(isEndpointId(id)).toBe(true);
  expect(id.startsWith(`ep_${(1_700_000_000_000).toString(16).padStart(12, '0')}`)).toBe(true);
});

test('a delivery id is the same for the same event, endpoint and run, and another for any other', () => {
  const [event, other] = [mintEventId(1), mintEventId(2)];
  const [endpoint, neighbour] = [mintEndpointId(1), mintEndpointId(2)];
  const id = deriveDeliveryId(event, endpoint, 0);
  expect(isDeliveryId(id)).toBe(true);
  expect(deriveDeliveryId(event, endpoint, 0)).toBe(id);
  const others = [
    deriveDeliveryId(event, endpoint, 1),
    deriveDeliveryId(event, neighbour, 0),
    deriveDeliveryId(other, endpoint, 0),
  ];
  expect(new Set([id, ...others]).size).toBe(4);
});

test('the derivation of delivery ids is kept for ever: receivers deduplicate by them', () => {
  const event = '01890a5d-ac96-774b-bcce-b302099a8057';
  const endpoint = 'ep_01890a5dac96774bbcceb302099a8057';
  expect(deriveDeliveryId(event, endpoint, 0)).toBe(`${event}_a672f548a1f9baa8`);
  expect(deriveDeliveryId(event, endpoint, 1)).toBe(`${event}_c8b9e571fe3f59cb`);
});

test('a delivery id names its event and its day', () => {
  const event = mintEventId(Date.UTC(2026, 1, 28, 23, 59, 59, 999));
  const delivery = deriveDeliveryId(event, mintEndpointId(1), 3);
  expect(delivery.startsWith(`${event}_`)).toBe(true);
  expect(dayOf(delivery)).toBe('2026-02-28');
  expect(dayOf(event)).toBe('2026-02-28');
});

test('no id contains a dot', () => {
  const event = mintEventId(1);
  const endpoint = mintEndpointId(1);
  expect([event, endpoint, deriveDeliveryId(event, endpoint, 0)].join('')).not.toContain('.');
});

test.each(['acme', 'A1', 'a-b_c', 'a'.repeat(64)])('%s is a tenant id', (text) => {
  expect(isTenantId(text)).toBe(true);
});

test.each(['', '-a', '_a', 'a.b', 'a/b', '../a', 'ä', 'a\n', 'a'.repeat(65)])(
  '%j is no tenant id',
  (text) => {
    expect(isTenantId(text)).toBe(false);
  },
);

test.each([
  ['a UUIDv4', '3f2504e0-4f89-41d3-9a0c-0305e82c3301'],
  ['capitals', '01890A5D-AC96-774B-BCCE-B302099A8057'],
  ['a delivery id', '01890a5d-ac96-774b-bcce-b302099a8057_0123456789abcdef'],
])('%s is no event id', (_, text) => {
  expect(isEventId(text)).toBe(false);
});

test.each(['1', 'order 42', 'größe', '{"a":1}', 'x'.repeat(256)])(
  '%j is a sender’s id of an event',
  (text) => {
    expect(isClientEventId(text)).toBe(true);
  },
);

test.each(['', 'x'.repeat(257), 'a\nb', 'a\u0000', '\u009b1m', '\ud800'])('%j is none', (text) => {
  expect(isClientEventId(text)).toBe(false);
});

test('an event of somebody else has the id of its place and time, the same at every look', () => {
  const place = { topic: 'inbound', partition: 3, offset: 41 };
  const id = deriveEventId(1_700_000_000_000, place);
  expect(isEventId(id)).toBe(true);
  expect(acceptedAtMs(id)).toBe(1_700_000_000_000);
  expect(deriveEventId(1_700_000_000_000, { ...place })).toBe(id);
  const others = [
    deriveEventId(1_700_000_000_001, place),
    deriveEventId(1_700_000_000_000, { ...place, offset: 42 }),
    deriveEventId(1_700_000_000_000, { ...place, partition: 34, offset: 1 }),
    deriveEventId(1_700_000_000_000, { ...place, topic: 'other' }),
  ];
  expect(new Set([id, ...others]).size).toBe(5);
});
