import { createHash } from 'node:crypto';

export interface RingKey {
  /** 8 hex digits of the key's SHA-256. */
  readonly keyId: string;
  readonly bytes: Buffer;
}

/** The keys of an installation: one seals, all open. */
export interface KeyRing {
  readonly sealing: RingKey;
  /** By key id; the sealing one is among them. */
  readonly keys: ReadonlyMap<string, RingKey>;
}

const KEY_BYTES = 32;

/** From `SECRETS_KEY`: base64 of 32 bytes. @throws Error that does not quote the text. */
export function parseKeyRing(text: string): KeyRing {
  const sealing = parseRingKey(text);
  return { sealing, keys: new Map([[sealing.keyId, sealing]]) };
}

function parseRingKey(text: string): RingKey {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== KEY_BYTES || bytes.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, ''))
    throw new Error(`not base64 of ${KEY_BYTES} bytes`);
  return { keyId: createHash('sha256').update(bytes).digest('hex').slice(0, 8), bytes };
}
