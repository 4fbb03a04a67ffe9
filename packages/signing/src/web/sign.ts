import { type SignatureHeaders, signedPrefix, toHeaders } from '../signed-content.ts';
import { encodeBase64 } from '../strict-base64.ts';
import { joinContent, toBytes } from './content.ts';
import { ED25519, type WebKey } from './keys.ts';

export interface SignInput {
  /** `webhook-id`: visible ASCII without ".", at most 256 characters. */
  readonly id: string;
  /** Unix seconds of this attempt. */
  readonly timestampSeconds: number;
  /** Exactly the bytes that go on the wire; of a text its UTF-8. */
  readonly body: Uint8Array | string;
  /** Current key first; one signature per key. */
  readonly keys: readonly WebKey[];
}

/**
 * The headers of Standard Webhooks 1.0 and `X-Webhook-Signature`, as the entry for Node makes them.
 * @throws {RangeError} on an id, timestamp, list of keys or prefix that no caller should pass, and on a public key.
 */
export function sign(input: SignInput): Promise<SignatureHeaders>;
export function sign(input: SignInput, options: { headerPrefix?: string }): Promise<Record<string, string>>;
export async function sign(
  { id, timestampSeconds, body, keys }: SignInput,
  { headerPrefix }: { headerPrefix?: string } = {},
): Promise<Record<string, string>> {
  if (keys.length === 0) throw new RangeError('sign needs at least one key');
  const bytes = toBytes(body);
  const content = joinContent(signedPrefix(id, timestampSeconds), bytes);
  const signatures = await Promise.all(keys.map((key) => signatureOf(key, content)));
  const secret = keys.find(({ algorithm }) => algorithm === 'hmac-sha256')?.signing;
  const timestamp = String(timestampSeconds);
  const bodySignature = secret ? `sha256=${toHex(await crypto.subtle.sign('HMAC', secret, bytes))}` : null;
  return toHeaders({ id, timestamp, signature: signatures.join(' '), bodySignature }, headerPrefix);
}

async function signatureOf(
  { algorithm, signing }: WebKey,
  content: Uint8Array<ArrayBuffer>,
): Promise<string> {
  if (signing === null) throw new RangeError('a public key signs nothing');
  const [version, name] = algorithm === 'hmac-sha256' ? ['v1', 'HMAC'] : ['v1a', ED25519];
  const bytes = await crypto.subtle.sign(name, signing, content);
  return `${version},${encodeBase64(new Uint8Array(bytes))}`;
}

const toHex = (bytes: ArrayBuffer): string =>
  [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
