import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '@posthorn/testkit';
import { afterAll, expect, test } from 'vitest';
import { readAuthorities } from './read-authorities.ts';

const folder = mkdtempSync(join(tmpdir(), 'posthorn-authorities-'));
afterAll(() => rmSync(folder, { recursive: true }));

function inFile(text: string): string {
  const path = join(folder, 'authorities.pem');
  writeFileSync(path, text);
  return path;
}

test('each certificate of the file is one, whatever stands between', () => {
  const [one, two] = [createAuthority().certificate, createAuthority().certificate];
  expect(readAuthorities(inFile(`# one\n${one}\n# two\n${two}`))).toEqual([one.trim(), two.trim()]);
});

test('no path is no certificate', () => {
  expect(readAuthorities('')).toEqual([]);
});

test.each([
  ['garbage', 'it has no certificate in PEM'],
  ['-----BEGIN CERTIFICATE-----\n', 'it has no certificate in PEM'],
  ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', 'its certificate 1 cannot be read'],
])('a file with %j is refused', (text, message) => {
  expect(() => readAuthorities(inFile(text))).toThrow(new Error(message));
});

test('a file that is not there is refused', () => {
  expect(() => readAuthorities(join(folder, 'none'))).toThrow('ENOENT');
});
