import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { ConfigError, choice, flag, integer, list, parsed, readConfig, secret, text } from './config.ts';

const spec = {
  port: integer('PORT', { fallback: '3000', min: 1, max: 65_535, doc: 'Port.' }),
  brokers: list('BROKERS', { fallback: 'a:1, b:2,', doc: 'Brokers.' }),
  level: choice('LEVEL', ['info', 'debug'], { fallback: 'info', doc: 'Level.' }),
  open: flag('OPEN', { fallback: 'false', doc: 'Open.' }),
  key: secret('KEY', { doc: 'Key.', expected: '16 characters', check: (value) => void assertLong(value) }),
  name: text('NAME', { fallback: 'x', pattern: /^[a-z]+$/, expected: 'letters', doc: 'Name.' }),
  pair: parsed('PAIR', 'two numbers', (value) => value.split('-').map(Number), {
    fallback: '1-2',
    doc: 'Pair.',
  }),
};

function assertLong(value: string): void {
  if (value.length < 16) throw new Error(`${value.length} characters`);
}

const KEY = 'k'.repeat(16);

test('an environment with nothing but the required keys gives the fallbacks, typed and frozen', () => {
  const config = readConfig(spec, { KEY });
  expect(config).toEqual({
    port: 3000,
    brokers: ['a:1', 'b:2'],
    level: 'info',
    open: false,
    key: KEY,
    name: 'x',
    pair: [1, 2],
  });
  expect(Object.isFrozen(config)).toBe(true);
});

test('an empty value counts as not given', () => {
  expect(readConfig(spec, { KEY, PORT: '' }).port).toBe(3000);
});

test('every fault is named at once, with the value and what was expected', () => {
  const read = () => readConfig(spec, { PORT: '70000', LEVEL: 'loud', OPEN: 'yes', NAME: '1' });
  expect(read).toThrow(ConfigError);
  try {
    read();
  } catch (error) {
    expect((error as ConfigError).faults).toEqual([
      'PORT="70000": expected an integer from 1 to 65535',
      'LEVEL="loud": expected one of info, debug',
      'OPEN="yes": expected true or false',
      'KEY is missing: expected 16 characters',
      'NAME="1": expected letters',
    ]);
  }
});

test('an error that ends a start says each fault once, and nothing of where in the code it was found', () => {
  const printed = inspect(new ConfigError(['PORT="x": expected a port', 'KEY is missing']));
  expect(printed).toBe(
    '[ConfigError: configuration is not valid:\n  - PORT="x": expected a port\n  - KEY is missing]',
  );
});

test('a secret that is wrong is never shown', () => {
  expect(() => readConfig(spec, { KEY: 'hunter2' })).toThrow(
    /KEY=\(redacted\): expected 16 characters \(7 characters\)/,
  );
  expect(() => readConfig(spec, { KEY: 'hunter2' })).not.toThrow(/hunter2/);
});

test('a secret is also taken from the file that its key with _FILE names', () => {
  const files: Record<string, string> = { '/run/secrets/key': KEY };
  const readFile = (path: string) => {
    if (files[path] === undefined) throw new Error('no such file');
    return files[path];
  };
  expect(readConfig(spec, { KEY: '', KEY_FILE: '/run/secrets/key' }, readFile).key).toBe(KEY);
  expect(() => readConfig(spec, { KEY_FILE: '/run/secrets/kex' }, readFile)).toThrow(
    'KEY_FILE="/run/secrets/kex": expected a file with the value (no such file)',
  );
  files['/run/secrets/key'] = 'hunter2';
  const read = () => readConfig(spec, { KEY_FILE: '/run/secrets/key' }, readFile);
  expect(read).toThrow('KEY_FILE="/run/secrets/key": expected 16 characters (7 characters)');
});

test('a secret that is given twice is refused, whichever would have been taken', () => {
  const read = () => readConfig(spec, { KEY, KEY_FILE: '/run/secrets/key' }, () => KEY);
  expect(read).toThrow('KEY and KEY_FILE are both given: expected one of them');
});

test('what is no secret is not read from files', () => {
  const config = readConfig(spec, { KEY, PORT_FILE: '/run/port' }, () => '4000');
  expect(config.port).toBe(3000);
});

test.each(['1e3', '0x10', '3.5', 'abc', '-1', ' '])('%j is not taken for a port', (value) => {
  expect(() => readConfig(spec, { KEY, PORT: value })).toThrow(/PORT/);
});
