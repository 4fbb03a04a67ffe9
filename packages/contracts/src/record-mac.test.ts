import { hkdfSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { hasValidMac, MAC_HEADER, MAC_KEY_USE, recordMac } from './record-mac.ts';

const key = Buffer.from(hkdfSync('sha256', Buffer.alloc(32, 7), '', MAC_KEY_USE, 32));
const value = Buffer.from('{"n":1}');
const headers = { ce_tenant: 'acme', ce_id: 'event-1', ph_slots: 'ep_1', ph_reason: 'attempts_exhausted' };
const signed = { ...headers, [MAC_HEADER]: recordMac(key, headers, value) };

test('a copy is known by tenant, event, endpoints and payload, whatever the order of its headers', () => {
  const reversed = Object.fromEntries(Object.entries(signed).reverse());
  expect(hasValidMac(key, reversed, value)).toBe(true);
  expect(hasValidMac(key, { ...signed, added: 'by hand', ph_reason: 'other' }, value)).toBe(true);
});

test.each([
  ['another tenant', { ...signed, ce_tenant: 'globex' }, value],
  ['another event', { ...signed, ce_id: 'event-2' }, value],
  ['another endpoint', { ...signed, ph_slots: 'ep_2' }, value],
  ['another payload', signed, Buffer.from('{"n":2}')],
  ['no mac', headers, value],
  ['half a mac', { ...signed, [MAC_HEADER]: signed[MAC_HEADER]!.slice(0, 32) }, value],
  ['a mac that is no hex', { ...signed, [MAC_HEADER]: 'z'.repeat(64) }, value],
])('a copy with %s is refused', (_what, given, payload) => {
  expect(hasValidMac(key, given, payload)).toBe(false);
});

test('a mac by another key is refused', () => {
  expect(hasValidMac(Buffer.alloc(32, 8), signed, value)).toBe(false);
});

test('the mac is kept from release to release: dead letters are older than the code that reads them', () => {
  expect(recordMac(key, headers, value)).toMatchInlineSnapshot(
    `"d2e2a1801dd1ef366730c27651059eb9efcf9bbe986e0e88ffa34a3e05f34e76"`,
  );
});
