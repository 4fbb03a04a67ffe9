import { readdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeWithElsewhere } from './infra/elsewhere.mjs';
import { removeVolumes } from './infra/volumes.mjs';
import { isLocked } from './lock.mjs';
import { readRunFile, stopLeftovers } from './run-file.mjs';

/** Removes everything that the project's scripts made in it. Needs nothing but Node. */
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const MADE = ['.posthorn', '.toolchain', '.turbo', 'coverage', 'node_modules'];
const MADE_IN_PACKAGES = ['.turbo', 'coverage', 'dist', 'node_modules'];

const state = join(root, '.posthorn');
const testRuns = (await readdir(state).catch(() => [])).filter((name) => name.startsWith('test-'));
const runFiles = ['.', 'infra', ...testRuns].map((name) => join(state, name, 'run.json'));

for (const lock of /** @type {const} */ (['run', 'setup'])) {
  if (isLocked(lock, root)) refuse();
}
for (const file of runFiles) {
  if ((await readRunFile(file)).some(({ name }) => name === 'test run')) refuse();
}
for (const file of runFiles) await stopLeftovers(file);

const folders = ['bench', 'scripts'];
for (const parent of ['packages', 'services']) {
  for (const name of await readdir(join(root, parent)).catch(() => [])) folders.push(join(parent, name));
}
const paths = [...MADE, ...folders.flatMap((folder) => MADE_IN_PACKAGES.map((made) => join(folder, made)))];
await Promise.all(paths.map((path) => rm(join(root, path), { recursive: true, force: true })));
await Promise.all(testRuns.map((name) => removeWithElsewhere(join(state, name, 'postgres'))));
await removeWithElsewhere(join(state, 'postgres'));
await removeWithElsewhere(join(state, 'infra', 'postgres'));
await removeWithElsewhere(join(root, '.toolchain'));
await removeVolumes(root);
console.log(`Removed what was made in ${root}. The caches of npm, pnpm and Maven in your home stay.`);

function refuse() {
  console.error('Posthorn is running here: stop it first (Ctrl-C where it runs), then clean');
  process.exit(1);
}
