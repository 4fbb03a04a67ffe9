import { headerNames } from './header-names.ts';
import { decodeBase64 } from './strict-base64.ts';

/** What of `Headers` is used. */
interface HeaderList {
  forEach(visit: (value: string, name: string) => void): void;
}

type HeaderRecord = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Headers as Node has them, names in any case; or the `Headers` of a request, which join what came twice with ", ". One
 * that came twice is refused, not picked from.
 */
export type ReceivedHeaders = HeaderRecord | HeaderList;

export type VerifyFailure =
  | 'missing_header'
  | 'repeated_header'
  | 'header_too_large'
  | 'malformed_id'
  | 'malformed_timestamp'
  | 'timestamp_too_old'
  | 'timestamp_too_new'
  | 'too_many_signatures'
  | 'invalid_secret'
  | 'no_matching_signature';

export type VerifyResult = { readonly ok: true } | { readonly ok: false; readonly reason: VerifyFailure };

export interface VerifyOptions {
  readonly nowSeconds: number;
  /** How far the timestamp may be from now, either way; 300 when left out. */
  readonly toleranceSeconds?: number;
  /** In place of `webhook`, where the sender has another. */
  readonly headerPrefix?: string;
}

/** A received webhook whose timestamp is near enough, and what it says of itself. */
export interface Received {
  /** What was signed before the body: `id.timestamp.`. */
  readonly prefix: string;
  /** The `v1` signatures that can be one: 32 bytes in strict base64. */
  readonly hmacs: readonly Uint8Array<ArrayBuffer>[];
  /** The `v1a` ones: 64 bytes. */
  readonly ed25519: readonly Uint8Array<ArrayBuffer>[];
}

const DEFAULT_TOLERANCE_SECONDS = 300;
const MAX_ID_CHARACTERS = 256;
const MAX_SIGNATURE_CHARACTERS = 4_096;
const MAX_SIGNATURES = 32;
const TIMESTAMP = /^\d{1,15}$/;
const HMAC_BYTES = 32;
const ED25519_BYTES = 64;

/** All that is judged before any key is looked at. */
export function readReceived(
  headers: ReceivedHeaders,
  { nowSeconds, toleranceSeconds = DEFAULT_TOLERANCE_SECONDS, headerPrefix }: VerifyOptions,
): Received | VerifyFailure {
  const names = headerNames(headerPrefix);
  const found = pickHeaders(isHeaderList(headers) ? toRecord(headers) : headers, [
    names.id,
    names.timestamp,
    names.signature,
  ]);
  if (typeof found === 'string') return found;
  const [id, timestamp, signature] = found;
  if (!id || !timestamp || !signature) return 'missing_header';
  if (id.length > MAX_ID_CHARACTERS || signature.length > MAX_SIGNATURE_CHARACTERS) return 'header_too_large';
  // Dots part what is signed: with one in the id, the timestamp of an old request would pass for a part of it.
  if (id.includes('.')) return 'malformed_id';
  const stale = judgeTimestamp(timestamp, nowSeconds, toleranceSeconds);
  if (stale !== null) return stale;
  const passed = signature.split(' ');
  if (passed.length > MAX_SIGNATURES) return 'too_many_signatures';
  return {
    prefix: `${id}.${timestamp}.`,
    hmacs: signaturesOf(passed, 'v1,', HMAC_BYTES),
    ed25519: signaturesOf(passed, 'v1a,', ED25519_BYTES),
  };
}

const isHeaderList = (headers: ReceivedHeaders): headers is HeaderList =>
  typeof headers.forEach === 'function';

function toRecord(headers: HeaderList): HeaderRecord {
  const record: Record<string, string | string[]> = {};
  headers.forEach((value, name) => {
    // None of ours has one in it: it came twice.
    record[name] = value.includes(', ') ? [value] : value;
  });
  return record;
}

function pickHeaders(
  headers: HeaderRecord,
  wanted: readonly string[],
): (string | undefined)[] | 'repeated_header' {
  const found: (string | undefined)[] = wanted.map(() => undefined);
  for (const name of Object.keys(headers)) {
    const place = wanted.indexOf(name.toLowerCase());
    const value = headers[name];
    if (place < 0 || value === undefined) continue;
    if (typeof value !== 'string' || found[place] !== undefined) return 'repeated_header';
    found[place] = value;
  }
  return found;
}

function judgeTimestamp(text: string, nowSeconds: number, toleranceSeconds: number): VerifyFailure | null {
  if (!TIMESTAMP.test(text)) return 'malformed_timestamp';
  const age = nowSeconds - Number(text);
  // Written so that a clock or a tolerance that is no number lets nothing through.
  if (!(age <= toleranceSeconds)) return 'timestamp_too_old';
  return age >= -toleranceSeconds ? null : 'timestamp_too_new';
}

/** The length of a signature is no secret; its one spelling in base64 leaves nothing to add unnoticed. */
function signaturesOf(passed: readonly string[], version: string, bytes: number): Uint8Array<ArrayBuffer>[] {
  return passed.flatMap((text) => {
    if (!text.startsWith(version)) return [];
    const decoded = decodeBase64(text.slice(version.length));
    return decoded !== null && decoded.length === bytes ? [decoded] : [];
  });
}
