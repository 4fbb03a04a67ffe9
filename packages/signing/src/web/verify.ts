import {
  type Received,
  type ReceivedHeaders,
  readReceived,
  type VerifyFailure,
  type VerifyOptions,
  type VerifyResult,
} from '../read-received.ts';
import { joinContent, toBytes } from './content.ts';
import { ED25519, importKey, type WebKey } from './keys.ts';

/**
 * Checks a received webhook as the entry for Node does, with Web Crypto: in Deno, Bun, Workers and browsers.
 * @throws {RangeError} on a header prefix that is none; on nothing that was received.
 */
export async function verify(
  headers: ReceivedHeaders,
  body: Uint8Array | ArrayBuffer | string,
  keys: readonly (string | WebKey | undefined)[],
  options: VerifyOptions,
): Promise<VerifyResult> {
  const received = readReceived(headers, options);
  if (typeof received === 'string') return refuse(received);
  const usable = await importKeys(keys);
  if (usable === null) return refuse('invalid_secret');
  const content = joinContent(
    received.prefix,
    toBytes(body instanceof ArrayBuffer ? new Uint8Array(body) : body),
  );
  // Every pair is checked, match or not, so that time tells nothing about which one came close.
  const matches = await Promise.all(usable.flatMap((key) => checksWith(key, received, content)));
  return matches.includes(true) ? { ok: true } : refuse('no_matching_signature');
}

/** `subtle.verify` compares in constant time. */
function checksWith(
  { algorithm, verifying }: WebKey,
  { hmacs, ed25519 }: Received,
  content: Uint8Array<ArrayBuffer>,
): Promise<boolean>[] {
  const [name, passed] = algorithm === 'hmac-sha256' ? ['HMAC', hmacs] : [ED25519, ed25519];
  return passed.map((signature) => crypto.subtle.verify(name, verifying, signature, content));
}

async function importKeys(keys: readonly (string | WebKey | undefined)[]): Promise<WebKey[] | null> {
  const usable: WebKey[] = [];
  for (const key of keys) {
    if (key === undefined) return null;
    const imported = typeof key === 'string' ? await importKey(key) : { ok: true as const, key };
    if (!imported.ok) return null;
    usable.push(imported.key);
  }
  return usable.length === 0 ? null : usable;
}

const refuse = (reason: VerifyFailure): VerifyResult => ({ ok: false, reason });
