import { createHmac, timingSafeEqual } from 'node:crypto';
import { parseSecret, type SigningKey } from './secret.ts';

/** Node's own shape of headers; names in any case. A header that came twice is refused, not picked from. */
export type ReceivedHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export type VerifyFailure =
  | 'missing_header'
  | 'repeated_header'
  | 'header_too_large'
  | 'malformed_timestamp'
  | 'timestamp_too_old'
  | 'timestamp_too_new'
  | 'too_many_signatures'
  | 'invalid_secret'
  | 'no_matching_signature';

export type VerifyResult = { readonly ok: true } | { readonly ok: false; readonly reason: VerifyFailure };

export interface VerifyOptions {
  readonly nowSeconds: number;
  readonly toleranceSeconds?: number;
}

const DEFAULT_TOLERANCE_SECONDS = 300;
const MAX_ID_CHARACTERS = 256;
const MAX_SIGNATURE_CHARACTERS = 4_096;
const MAX_SIGNATURES = 32;
const TIMESTAMP = /^\d{1,15}$/;
const HMAC_BYTES = 32;

/**
 * Checks a received webhook as Standard Webhooks 1.0 asks. `secrets` are all that are valid now (two during a
 * rotation), as text or parsed. Signatures of other versions are passed over; one match of any secret is enough.
 */
export function verify(
  headers: ReceivedHeaders,
  body: Buffer | string,
  secrets: readonly (string | SigningKey)[],
  { nowSeconds, toleranceSeconds = DEFAULT_TOLERANCE_SECONDS }: VerifyOptions,
): VerifyResult {
  const metadata = readMetadata(headers);
  if (typeof metadata === 'string') return refuse(metadata);
  const stale = judgeTimestamp(metadata.timestamp, nowSeconds, toleranceSeconds);
  if (stale !== null) return refuse(stale);
  const passed = metadata.signature.split(' ');
  if (passed.length > MAX_SIGNATURES) return refuse('too_many_signatures');
  const keys = parseKeys(secrets);
  if (keys === null) return refuse('invalid_secret');
  const prefix = `${metadata.id}.${metadata.timestamp}.`;
  const expected = keys.map((key) => createHmac('sha256', key.key).update(prefix).update(body).digest());
  return matchesAny(passed, expected) ? { ok: true } : refuse('no_matching_signature');
}

interface Metadata {
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
}

function readMetadata(headers: ReceivedHeaders): Metadata | VerifyFailure {
  const found: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    const lower = name.toLowerCase();
    if (lower !== 'webhook-id' && lower !== 'webhook-timestamp' && lower !== 'webhook-signature') continue;
    const value = headers[name];
    if (value === undefined) continue;
    if (typeof value !== 'string' || found[lower] !== undefined) return 'repeated_header';
    found[lower] = value;
  }
  const id = found['webhook-id'];
  const timestamp = found['webhook-timestamp'];
  const signature = found['webhook-signature'];
  if (!id || !timestamp || !signature) return 'missing_header';
  if (id.length > MAX_ID_CHARACTERS || signature.length > MAX_SIGNATURE_CHARACTERS) return 'header_too_large';
  return { id, timestamp, signature };
}

function judgeTimestamp(text: string, nowSeconds: number, toleranceSeconds: number): VerifyFailure | null {
  if (!TIMESTAMP.test(text)) return 'malformed_timestamp';
  const age = nowSeconds - Number(text);
  if (age > toleranceSeconds) return 'timestamp_too_old';
  return age < -toleranceSeconds ? 'timestamp_too_new' : null;
}

function parseKeys(secrets: readonly (string | SigningKey)[]): SigningKey[] | null {
  const keys: SigningKey[] = [];
  for (const secret of secrets) {
    const parsed = typeof secret === 'string' ? parseSecret(secret) : { ok: true as const, key: secret };
    if (!parsed.ok) return null;
    keys.push(parsed.key);
  }
  return keys.length === 0 ? null : keys;
}

/** Compares every pair, match or not, so that time tells nothing about which one came close. */
function matchesAny(passed: readonly string[], expected: readonly Buffer[]): boolean {
  let matched = false;
  for (const signature of passed) {
    if (!signature.startsWith('v1,')) continue;
    const text = signature.slice('v1,'.length);
    const bytes = Buffer.from(text, 'base64');
    // The length of an HMAC is no secret; its one spelling in base64 leaves nothing to add unnoticed.
    if (bytes.length !== HMAC_BYTES || bytes.toString('base64') !== text) continue;
    for (const hmac of expected) if (timingSafeEqual(bytes, hmac)) matched = true;
  }
  return matched;
}

function refuse(reason: VerifyFailure): VerifyResult {
  return { ok: false, reason };
}
