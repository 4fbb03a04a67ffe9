import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { runStep, SetupError, secondsSince } from './step.mjs';
import { checkFetched } from './toolchain-hashes.mjs';

const NODE_VERSION = '24.21.0';
const NODE_MAJOR = 24;
const PNPM_VERSION = '12.21.0';
/** Megabytes to download, as the registry has them for linux-x64. */
const NODE_MB = 53;
const PNPM_MB = 29;
const NO_NPM = 'npm is missing: install it with your Node (https://nodejs.org), then try again';

/**
 * @typedef {object} Toolchain
 * @property {string} node path of Node 24 or newer
 * @property {string} pnpm path of pnpm
 * @property {NodeJS.ProcessEnv} env with both first in PATH
 */

const platform = `${process.platform}-${process.arch}`;
// The native packages of npm pack no scripts to run: npm may refuse those.
const nodePackage = `node-${platform}`;
const pnpmPackage = `@pnpm/exe.${platform}${isMusl() ? '-musl' : ''}`;
const hostNodeIsEnough = Number(process.versions.node.split('.')[0]) >= NODE_MAJOR;

/**
 * What is installed already, or undefined when a part of it is missing or of another version.
 * @param {string} dir
 * @returns {Toolchain | undefined}
 */
export function findToolchain(dir) {
  const installed = readVersions(dir);
  if (installed.pnpm !== PNPM_VERSION) return undefined;
  if (!hostNodeIsEnough && installed.node !== NODE_VERSION) return undefined;
  return locate(dir);
}

/** @param {string} dir @returns {Toolchain} */
function locate(dir) {
  const node = hostNodeIsEnough ? process.execPath : join(dir, 'node_modules', nodePackage, 'bin', 'node');
  const pnpm = join(dir, 'node_modules', pnpmPackage, 'pnpm');
  const path = [dirname(node), dirname(pnpm), process.env.PATH ?? ''].join(delimiter);
  return { node, pnpm, env: { ...process.env, PATH: path, NODE_COMPILE_CACHE: join(dir, 'compile-cache') } };
}

/**
 * Written last, so that an installation that was cut short does not count.
 * @param {string} dir
 * @returns {{ node?: string, pnpm?: string }}
 */
function readVersions(dir) {
  try {
    return JSON.parse(readFileSync(join(dir, 'versions.json'), 'utf8'));
  } catch {
    return {};
  }
}

/**
 * @param {string} dir
 * @returns {Promise<Toolchain>}
 */
export async function fetchToolchain(dir) {
  if (isMusl() && !hostNodeIsEnough) {
    throw new SetupError(
      `There is no ready-made Node ${NODE_MAJOR} for musl: install it (apk add nodejs), then try again`,
    );
  }
  const wanted = [`${pnpmPackage}@${PNPM_VERSION}`];
  const told = [`pnpm ${PNPM_VERSION} (${PNPM_MB} MB)`];
  if (!hostNodeIsEnough) {
    wanted.unshift(`${nodePackage}@${NODE_VERSION}`);
    told.unshift(`Node ${NODE_VERSION} (${NODE_MB} MB)`);
  }
  const startedAt = performance.now();
  console.log(`Fetching ${told.join(' and ')} into .toolchain, once`);
  // npm would take what an earlier run was cut short in for installed.
  await rm(join(dir, 'node_modules'), { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'package.json'), '{ "private": true }\n');
  const [npm, ...npmArgs] = npmCommand();
  const flags = [
    '--no-audit',
    '--no-fund',
    '--no-save',
    '--ignore-scripts',
    '--loglevel=error',
    '--prefix',
    dir,
  ];
  await runStep('Cannot fetch Node and pnpm', npm, [...npmArgs, 'install', ...flags, ...wanted], {
    cwd: dir,
    missing: NO_NPM,
  });
  checkFetched(dir);
  const toolchain = locate(dir);
  await runStep('The fetched Node does not run', toolchain.node, ['--version'], { cwd: dir });
  await runStep('The fetched pnpm does not run', toolchain.pnpm, ['--version'], { cwd: dir });
  const versions = { pnpm: PNPM_VERSION, ...(hostNodeIsEnough ? {} : { node: NODE_VERSION }) };
  await writeFile(join(dir, 'versions.json'), JSON.stringify(versions));
  console.log(`Fetched in ${secondsSince(startedAt)}`);
  return toolchain;
}

/**
 * The npm that runs us, else the one in PATH.
 * @returns {[string, ...string[]]}
 */
function npmCommand() {
  const running = process.env.npm_execpath ?? '';
  return /npm-cli\.js$/.test(running) && existsSync(running) ? [process.execPath, running] : ['npm'];
}

function isMusl() {
  return existsSync('/etc/alpine-release');
}
