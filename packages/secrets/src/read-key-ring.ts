import { secret } from '@posthorn/runtime';
import { type KeyRing, parseKeyRing } from './key-ring.ts';

/** The keys of every service that opens secrets, or derives keys from theirs; `withKeyRing` turns them into one value. */
export const secretsConfig = {
  secretsKey: secret('SECRETS_KEY', {
    expected: 'base64 of 32 bytes',
    check: parseKeyRing,
    doc: 'The key that endpoint secrets are encrypted under in Postgres, and that the keys of macs and portal tokens are derived from; the same for all services.',
  }),
} as const;

interface GivenKeys {
  readonly secretsKey: string;
}

/** A configuration in which the key ring stands in place of the texts it was given as. */
export type WithKeyRing<C extends GivenKeys> = Omit<C, keyof GivenKeys> & { readonly keyRing: KeyRing };

export function withKeyRing<C extends GivenKeys>(config: C): Readonly<WithKeyRing<C>> {
  const { secretsKey, ...rest } = config;
  return Object.freeze<WithKeyRing<C>>({ ...rest, keyRing: parseKeyRing(secretsKey) });
}
