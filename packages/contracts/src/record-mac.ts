import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Headers } from './header-fields.ts';

/**
 * What a dead letter carries so that a copy made by hand in Kafka can be told from one that was changed: an HMAC over
 * tenant, event, endpoints, the payload's hash, and the tenant whose event it is where that is another. It says nothing
 * about run, round or attempt: those are decided anew.
 */
export const MAC_HEADER = 'ph_mac';

/** What its keys are derived for, out of those that secrets are sealed with (`deriveKeys` in secrets). */
export const MAC_KEY_USE = 'posthorn dead letter mac v1';

/** Hex of the HMAC for a record with these headers (`ce_tenant`, `ce_id`, `ph_slots`, `ph_source_tenant`) and this value. */
export function recordMac(key: Uint8Array, headers: Headers, value: Uint8Array): string {
  const payload = createHash('sha256').update(value).digest('hex');
  const source = headers.ph_source_tenant === undefined ? [] : [headers.ph_source_tenant];
  const subject = [headers.ce_tenant, headers.ce_id, headers.ph_slots, payload, ...source].join('\n');
  return createHmac('sha256', key).update(subject).digest('hex');
}

export function hasValidMac(key: Uint8Array, headers: Headers, value: Uint8Array): boolean {
  const given = Buffer.from(headers[MAC_HEADER]?.trim() ?? '', 'hex');
  const expected = Buffer.from(recordMac(key, headers, value), 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected);
}
