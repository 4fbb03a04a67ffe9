import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { MAX_SECRET_FILE_BYTES, readSecretFile } from '../src/read-secret-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'posthorn-secret-'));
const file = join(folder, 'secret');
afterAll(() => rmSync(folder, { recursive: true }));

const read = (content: string | Buffer): string => {
  writeFileSync(file, content);
  return readSecretFile(file);
};

test.each([
  ['no line end', 'a secret'],
  ['a line end', 'a secret\n'],
  ['a line end of Windows', 'a secret\r\n'],
])('a secret in a file with %s is the same', (_name, content) => {
  expect(read(content)).toBe('a secret');
});

test('spaces and inner lines are of the secret', () => {
  expect(read(' a \n b \n')).toBe(' a \n b ');
});

test('a file as long as may be is read, a longer one is refused', () => {
  expect(read('x'.repeat(MAX_SECRET_FILE_BYTES))).toHaveLength(MAX_SECRET_FILE_BYTES);
  expect(() => read('x'.repeat(MAX_SECRET_FILE_BYTES + 1))).toThrow('more than 65536 bytes');
});

test('a file without an end is given up at the bound', () => {
  expect(() => readSecretFile('/dev/zero')).toThrow('more than 65536 bytes');
});

test('a file that is empty, missing, or no text is refused without being shown', () => {
  expect(() => read('\n')).toThrow('is empty');
  expect(() => read(Buffer.from([0xff, 0x41]))).toThrow(/^is not UTF-8$/);
  expect(() => readSecretFile(join(folder, 'other'))).toThrow('ENOENT');
});
