import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { access, constants, mkdir } from 'node:fs/promises';
import { constants as osConstants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setupLock } from '../lock.mjs';
import { installHooks } from './hooks.mjs';
import { installPackages, packagesAreCurrent } from './packages.mjs';
import { SetupError } from './step.mjs';
import { fetchToolchain, findToolchain } from './toolchain.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const toolchainDir = join(root, '.toolchain');
const FORWARDED = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

/**
 * Makes sure that Node 24, pnpm and the packages are there, then runs the script under them. Silent when they are.
 * @param {string[]} command the script, relative to the root, and its arguments
 */
export async function run(command) {
  try {
    const toolchain = await prepare();
    runScript(command, toolchain);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

async function prepare() {
  const ready = findToolchain(toolchainDir);
  if (ready && (await packagesAreCurrent(root))) return ready;
  await checkWritable();
  const release = await setupLock(root, () =>
    console.log('Another run is setting things up here: waiting for it'),
  );
  try {
    const toolchain = findToolchain(toolchainDir) ?? (await fetchToolchain(toolchainDir));
    if (!(await packagesAreCurrent(root))) {
      await installPackages(root, toolchain);
      await installHooks(root, toolchain);
    }
    return toolchain;
  } finally {
    release();
  }
}

async function checkWritable() {
  try {
    await mkdir(toolchainDir, { recursive: true });
    await access(toolchainDir, constants.W_OK);
    await access(root, constants.W_OK);
  } catch (error) {
    throw SetupError.from(error, `Cannot write in ${root}`);
  }
}

/**
 * @param {string[]} command
 * @param {import('./toolchain.mjs').Toolchain} toolchain
 */
function runScript([script = '', ...args], toolchain) {
  if (!existsSync(join(root, script)))
    throw new SetupError(`There is no ${script || 'script'} to run in ${root}`);
  // The channel says nothing; that it closes tells the script that we were killed.
  const child = spawn(toolchain.node, [join(root, script), ...args], {
    env: toolchain.env,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`Cannot run ${toolchain.node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (signal ? osConstants.signals[signal] : 0));
  });
}
