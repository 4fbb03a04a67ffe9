import { randomBytes } from 'node:crypto';
import { ConfigError, readConfig } from '@posthorn/runtime';
import { expect, test } from 'vitest';
import { parseKeyRing } from './key-ring.ts';
import { readKeyRing, secretsConfig, withKeyRing } from './read-key-ring.ts';

const [a, b, c] = Array.from({ length: 3 }, () => randomBytes(32).toString('base64')) as [
  string,
  string,
  string,
];
const idsOf = (...keys: string[]) => keys.map((key) => parseKeyRing(key).sealing.keyId);
const refuseToRun = () => {
  throw new Error('was run');
};
const read = (environment: Record<string, string>, run: (command: string) => string = refuseToRun) =>
  readKeyRing(readConfig(secretsConfig, environment), run);

test('one key by itself seals what the release before can open', () => {
  expect(read({ SECRETS_KEY: a })).toMatchObject({ seals: 'v1', sealing: { keyId: idsOf(a)[0] } });
});

test('with a ring, its first key seals in the new form, and the key of before only opens', () => {
  const ring = read({ SECRETS_KEYS: `${a},${b}`, SECRETS_KEY: c });
  expect([ring.seals, ring.sealing.keyId]).toEqual(['v2', idsOf(a)[0]]);
  expect([...ring.keys.keys()]).toEqual(idsOf(a, b, c));
});

test('a command is run once and prints the ring', () => {
  const commands: string[] = [];
  const ring = read({ SECRETS_KEYS_COMMAND: 'vault read keys', SECRETS_KEY: c }, (command) => {
    commands.push(command);
    return `${a}\n${b}\n`;
  });
  expect(commands).toEqual(['vault read keys']);
  expect([...ring.keys.keys()]).toEqual(idsOf(a, b, c));
});

test.each([
  ['no key at all', {}, 'SECRETS_KEYS is missing'],
  ['two sources', { SECRETS_KEYS: a, SECRETS_KEYS_COMMAND: 'x' }, 'are both given'],
  ['two keys where one is to be', { SECRETS_KEY: `${a},${b}` }, 'SECRETS_KEY=(redacted)'],
  ['a ring with what is no key', { SECRETS_KEYS: `${a},hunter2` }, 'SECRETS_KEYS=(redacted)'],
])('%s stops the start', (_name, environment, fault) => {
  const act = () => read(environment as unknown as Record<string, string>);
  expect(act).toThrow(ConfigError);
  expect(act).toThrow(fault);
  expect(act).not.toThrow(/hunter2|[\w+/]{40}/);
});

test.each([
  ['fails', refuseToRun],
  ['prints nothing', () => ''],
  ['prints what are no keys', () => 'hunter2'],
])('a command that %s stops the start, and its output is not shown', (_name, run) => {
  const act = () => read({ SECRETS_KEYS_COMMAND: 'keys' }, run);
  expect(act).toThrow(ConfigError);
  expect(act).toThrow('SECRETS_KEYS_COMMAND: expected a program that prints keys');
  expect(act).not.toThrow('hunter2');
});

const publicKey = Buffer.from('dev-only-key-never-in-production').toString('base64');

test.each([
  ['seals', { SECRETS_KEY: publicKey }],
  ['is in the ring', { SECRETS_KEYS: `${a},${publicKey}` }],
  ['only opens', { SECRETS_KEYS: a, SECRETS_KEY: publicKey }],
])('a public key that %s stops the start, but in development', (_name, environment) => {
  expect(() => read(environment as unknown as Record<string, string>)).toThrow('is public');
  expect(read({ ...environment, ENVIRONMENT: 'development' } as never).keys.size).toBeGreaterThan(0);
});

test('the configuration of a service has the ring, and the texts no more', () => {
  const config = withKeyRing({ ...readConfig(secretsConfig, { SECRETS_KEY: a }), port: 1 });
  expect(Object.keys(config).sort()).toEqual(['environment', 'keyRing', 'port']);
});
