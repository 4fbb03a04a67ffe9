import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runStep, secondsSince } from './step.mjs';

/** Megabytes to download, as pnpm's store has them after a first install on linux-x64. */
const PACKAGES_MB = 240;
const PARENTS = ['packages', 'services'];
const SINGLE = ['bench', 'scripts'];

/**
 * Whether the packages were installed from the manifests as they are now.
 * @param {string} root
 */
export async function packagesAreCurrent(root) {
  const stamp = await readFile(stampFile(root), 'utf8').catch(() => '');
  return stamp !== '' && stamp === (await fingerprint(root));
}

/**
 * @param {string} root
 * @param {import('./toolchain.mjs').Toolchain} toolchain
 */
export async function installPackages(root, toolchain) {
  const startedAt = performance.now();
  const first = !existsSync(join(root, 'node_modules'));
  console.log(
    first ? `Installing the packages (${PACKAGES_MB} MB, once)` : 'Installing the packages that changed',
  );
  const args = [
    'install',
    '--frozen-lockfile',
    // What was committed is what is installed, by its hashes. Its age was checked before (`npm run check:supply-chain`).
    '--config.trustLockfile=true',
    '--config.confirmModulesPurge=false',
    '--reporter=append-only',
  ];
  const output = await runStep('Cannot install the packages', toolchain.pnpm, args, {
    cwd: root,
    env: toolchain.env,
  });
  await writeFile(stampFile(root), await fingerprint(root));
  const added = /added (\d+)/g;
  const counts = [...output.matchAll(added)].map((match) => Number(match[1]));
  console.log(`Installed ${Math.max(0, ...counts)} packages in ${secondsSince(startedAt)}`);
}

/** Inside node_modules, so that it goes when they go. @param {string} root */
function stampFile(root) {
  return join(root, 'node_modules', '.posthorn-install');
}

/** @param {string} root */
async function fingerprint(root) {
  const nested = await Promise.all(
    PARENTS.map(async (parent) => {
      const names = await readdir(join(root, parent)).catch(() => []);
      return names.sort().map((name) => join(parent, name));
    }),
  );
  const manifests = [...nested.flat(), ...SINGLE].map((folder) => join(folder, 'package.json'));
  const files = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', ...manifests];
  const texts = await Promise.all(files.map((file) => readFile(join(root, file), 'utf8').catch(() => '')));
  const hash = createHash('sha256');
  files.forEach((file, index) => {
    hash.update(`\0${file}\0${texts[index]}`);
  });
  return hash.digest('hex');
}
