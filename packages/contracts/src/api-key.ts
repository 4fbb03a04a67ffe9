import { hash, randomBytes } from 'node:crypto';

export interface MintedKey {
  readonly keyId: string;
  /** Shown once, never stored. */
  readonly key: string;
  readonly keyHash: Buffer;
}

const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const PREFIX = { operator: 'phk_op_', tenant: 'phk_tn_' } as const;

/** A key of an API caller: what kind it is, and 32 random bytes. */
export function mintKey(
  kind: keyof typeof PREFIX,
  random: (bytes: number) => Buffer = randomBytes,
): MintedKey {
  const key = PREFIX[kind] + random(KEY_BYTES).toString('base64url');
  return { keyId: `key_${random(KEY_ID_BYTES).toString('hex')}`, key, keyHash: hashKey(key) };
}

/** What is stored of a key: its bytes are random, so nobody tries them one by one. */
export const hashKey = (key: string): Buffer => hash('sha256', key, 'buffer');
