import { expect, test } from 'vitest';
import { parseCommand, runKeysCommand } from '../src/run-keys-command.ts';

const node = (script: string): string => JSON.stringify([process.execPath, '-e', script]);

test('words are parted by spaces, and a JSON array takes any', () => {
  expect(parseCommand(' vault  kv get -field=keys ')).toEqual(['vault', 'kv', 'get', '-field=keys']);
  expect(parseCommand('["my program", "a b", "$HOME"]')).toEqual(['my program', 'a b', '$HOME']);
  for (const text of ['', '[]', '["a", 1]', '["a"', '[""]'])
    expect(() => parseCommand(text)).toThrow('not a program and its arguments');
});

test('what a program prints is taken, without a shell in between', () => {
  expect(runKeysCommand('echo $HOME `id` ;')).toBe('$HOME `id` ;\n');
});

test('a program that fails, is not there, hangs or does not stop is named, with nothing of what it printed', () => {
  const fails = node('console.log("hunter2"); console.error("hunter2"); process.exit(3)');
  expect(() => runKeysCommand(fails)).toThrow(/ ended with 3$/);
  expect(() => runKeysCommand('posthorn-no-such-program')).toThrow('cannot be run: ENOENT');
  expect(() => runKeysCommand('sleep 600', 50)).toThrow('"sleep" took too long');
  expect(() => runKeysCommand('cat /dev/zero')).toThrow('"cat" printed more than 65536 bytes');
});
