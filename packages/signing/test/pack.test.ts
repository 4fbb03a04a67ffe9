import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const PACKAGE = join(import.meta.dirname, '..');
const PACK_TIMEOUT_MS = 120_000;

let folder: string;
let installed: string;

/** As who installs it from a registry has it: the archive, unpacked, and nothing beside it. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'posthorn-signing-'));
  installed = join(folder, 'node_modules/@posthorn/signing');
  await mkdir(installed, { recursive: true });
  await run('pnpm', ['pack', '--out', join(folder, 'package.tgz')], { cwd: PACKAGE });
  await run('tar', ['-xzf', join(folder, 'package.tgz'), '-C', installed, '--strip-components=1']);
}, PACK_TIMEOUT_MS);
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(join(PACKAGE, 'dist'), { recursive: true, force: true });
});

const CHECK = `
import { readFile } from 'node:fs/promises';
import * as node from '@posthorn/signing';
import * as web from '@posthorn/signing/web';

const { verify } = JSON.parse(await readFile('node_modules/@posthorn/signing/vectors/standard-webhooks.json', 'utf8'));
for (const { name, keys, now: nowSeconds, headers, body, result } of verify) {
  const judged = [
    node.verify(headers, body, keys, { nowSeconds }),
    await web.verify(new Map(Object.entries(headers)), body, keys, { nowSeconds }),
  ];
  for (const { ok, reason } of judged) if ((ok ? 'ok' : reason) !== result) throw new Error(name + ': ' + reason);
}
console.log(verify.length);
`;

test('the archive works in plain Node, by both entries', async () => {
  await writeFile(join(folder, 'check.mjs'), CHECK);
  const { stdout } = await run(process.execPath, ['check.mjs'], { cwd: folder });
  expect(Number(stdout)).toBeGreaterThan(10);
});

test('the entry for the web is made of what every runtime has', async () => {
  const seen = new Set<string>();
  const visit = async (path: string): Promise<void> => {
    if (seen.has(path)) return;
    seen.add(path);
    const code = await readFile(path, 'utf8');
    expect(code).not.toMatch(/\b(Buffer|process|require)\b/);
    const imports = [...code.matchAll(/from '([^']+)'/g)].map((match) => match[1]!);
    expect(imports.filter((specifier) => !specifier.startsWith('.'))).toEqual([]);
    await Promise.all(imports.map((specifier) => visit(join(dirname(path), specifier))));
  };
  await visit(join(installed, 'dist/web/index.js'));
  expect(seen.size).toBeGreaterThan(5);
});

test('the archive has types, no sources or tests, and asks for no other package', async () => {
  const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
  expect(manifest.dependencies).toBeUndefined();
  for (const { types, default: code } of Object.values<{ types: string; default: string }>(
    manifest.exports,
  )) {
    expect(await readFile(join(installed, types), 'utf8')).toContain('verify');
    expect(await readFile(join(installed, code), 'utf8')).toContain('verify');
  }
  const { stdout } = await run('tar', ['-tzf', join(folder, 'package.tgz')]);
  expect(stdout).toContain('package/LICENSE');
  expect(stdout).not.toMatch(/\/src\/|test/);
});
