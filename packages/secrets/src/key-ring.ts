import { createHash, hkdfSync } from 'node:crypto';

export interface RingKey {
  /** 8 hex digits of the key's SHA-256. */
  readonly keyId: string;
  readonly bytes: Buffer;
}

/** The keys of an installation: one seals, all open. */
export interface KeyRing {
  readonly sealing: RingKey;
  /** By key id; the sealing one is among them, and the first. */
  readonly keys: ReadonlyMap<string, RingKey>;
  /** What is written: `v1` is what the releases before the key ring read as well. Both are opened. */
  readonly seals: SealedFormat;
}

export type SealedFormat = 'v1' | 'v2';

export const KEY_BYTES = 32;
/** One that seals, one that is to come, and those whose values are not sealed anew yet. */
export const MAX_RING_KEYS = 16;

/**
 * One key, or several with commas or line ends between them: the first seals, all open. Each is base64 of 32 bytes.
 * @throws Error that does not quote the text.
 */
export function parseKeyRing(text: string, seals: SealedFormat = 'v2'): KeyRing {
  return createKeyRing(parseRingKeys(text), seals);
}

/** @throws Error that does not quote the text. */
export function parseRingKeys(text: string): RingKey[] {
  const given = text.split(/[\s,]+/).filter((part) => part !== '');
  return given.map((part, place) => {
    const key = parseRingKey(part);
    if (key === null)
      throw new Error(`${given.length > 1 ? `key ${place + 1} is ` : ''}not base64 of ${KEY_BYTES} bytes`);
    return key;
  });
}

/** The first of them seals; one that is there twice counts once. @throws Error when there are none, or too many. */
export function createKeyRing(given: readonly RingKey[], seals: SealedFormat): KeyRing {
  const [sealing] = given;
  const keys = new Map(given.map((key) => [key.keyId, key]));
  if (sealing === undefined) throw new Error(`not base64 of ${KEY_BYTES} bytes`);
  if (keys.size > MAX_RING_KEYS) throw new Error(`${keys.size} keys are more than ${MAX_RING_KEYS}`);
  return { sealing, keys, seals };
}

function parseRingKey(text: string): RingKey | null {
  const bytes = Buffer.from(text, 'base64');
  const isWhole = bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '');
  if (bytes.length !== KEY_BYTES || !isWhole) return null;
  return { keyId: createHash('sha256').update(bytes).digest('hex').slice(0, 8), bytes };
}

/**
 * A key for another use out of each of the ring's (HKDF-SHA256, RFC 5869), that of the sealing one first: what is made
 * with the first is accepted with any.
 */
export function deriveKeys({ sealing, keys }: KeyRing, use: string): DerivedKeys {
  const derive = ({ bytes }: RingKey): Buffer => Buffer.from(hkdfSync('sha256', bytes, '', use, KEY_BYTES));
  const others = [...keys.values()].filter(({ keyId }) => keyId !== sealing.keyId);
  return [derive(sealing), ...others.map(derive)];
}

export type DerivedKeys = readonly [making: Buffer, ...accepted: Buffer[]];

/** For logs: processes of one installation are to say the same. Ids tell nothing of their keys. */
export const describeKeyRing = ({ sealing, keys, seals }: KeyRing) => ({
  seals_with: sealing.keyId,
  format: seals,
  opens: [...keys.keys()],
});
