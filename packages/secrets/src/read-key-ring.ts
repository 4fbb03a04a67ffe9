import { ConfigError, type ConfigOf, environmentConfig, secret, text } from '@posthorn/runtime';
import { createKeyRing, type KeyRing, parseKeyRing, parseRingKeys } from './key-ring.ts';
import { runKeysCommand } from './run-keys-command.ts';

/** The keys of every service that opens secrets, or derives keys from theirs; `withKeyRing` turns them into one value. */
export const secretsConfig = {
  ...environmentConfig,
  secretsKeys: secret('SECRETS_KEYS', {
    fallback: '',
    expected: 'base64 of 32 bytes, several with commas between them',
    check: (value) => void (value === '' || parseKeyRing(value)),
    doc: 'The key ring: the first key seals endpoint secrets in Postgres, all open them; the keys of macs and portal tokens are derived from it. The same for all services.',
  }),
  secretsKeysCommand: text('SECRETS_KEYS_COMMAND', {
    fallback: '',
    expected: 'a program and its arguments',
    doc: 'In place of `SECRETS_KEYS`: a program that is run once, at the start, without a shell, and prints the same. Words are parted by spaces; a JSON array of strings takes any.',
  }),
  secretsKey: secret('SECRETS_KEY', {
    fallback: '',
    expected: 'base64 of 32 bytes',
    check: (value) => void (value === '' || parseOneKey(value)),
    doc: 'One key, by itself: what it seals the releases before the key ring can open. Beside `SECRETS_KEYS` it opens only.',
  }),
} as const;

export type GivenKeys = ConfigOf<typeof secretsConfig>;
type TextsOfKeys = 'secretsKeys' | 'secretsKeysCommand' | 'secretsKey';

/** Ids of keys that everybody has: that of infra/compose.yaml. */
const PUBLIC_KEY_IDS: readonly string[] = ['5b94397f'];

/** A configuration in which the key ring stands in place of the texts it was given as. */
export type WithKeyRing<C extends GivenKeys> = Omit<C, TextsOfKeys> & { readonly keyRing: KeyRing };

type RunCommand = (command: string) => string;

/** @throws ConfigError */
export function withKeyRing<C extends GivenKeys>(
  config: C,
  run: RunCommand = runKeysCommand,
): Readonly<WithKeyRing<C>> {
  const { secretsKeys, secretsKeysCommand, secretsKey, ...rest } = config;
  const keyRing = readKeyRing(config, run);
  return Object.freeze<WithKeyRing<C>>({ ...rest, keyRing });
}

/** @throws ConfigError when there is no key at all, a source that does not give any, or one that is public. */
export function readKeyRing(config: GivenKeys, run: RunCommand = runKeysCommand): KeyRing {
  const ring = openRing(config, run);
  const known = PUBLIC_KEY_IDS.find((keyId) => ring.keys.has(keyId));
  if (known !== undefined && config.environment === 'production')
    throw new ConfigError([
      `key ${known} of the key ring is public: expected a key of your own, or ENVIRONMENT=development`,
    ]);
  return ring;
}

function openRing({ secretsKeys, secretsKeysCommand, secretsKey }: GivenKeys, run: RunCommand): KeyRing {
  if (secretsKeys !== '' && secretsKeysCommand !== '')
    throw new ConfigError(['SECRETS_KEYS and SECRETS_KEYS_COMMAND are both given: expected one of them']);
  const ring = secretsKeysCommand === '' ? secretsKeys : printedKeys(secretsKeysCommand, run);
  if (ring === '' && secretsKey === '')
    throw new ConfigError(['SECRETS_KEYS is missing: expected base64 of 32 bytes, or SECRETS_KEY']);
  const keys = [...parseRingKeys(ring), ...parseRingKeys(secretsKey)];
  try {
    return createKeyRing(keys, ring === '' ? 'v1' : 'v2');
  } catch (error) {
    throw new ConfigError([`SECRETS_KEYS=(redacted): expected fewer (${(error as Error).message})`]);
  }
}

function printedKeys(command: string, run: RunCommand): string {
  try {
    const printed = run(command);
    parseKeyRing(printed);
    return printed;
  } catch (error) {
    throw new ConfigError([
      `SECRETS_KEYS_COMMAND: expected a program that prints keys (${(error as Error).message})`,
    ]);
  }
}

function parseOneKey(value: string): void {
  if (parseRingKeys(value).length !== 1) throw new Error('expected one key');
}
