import { spawn } from 'node:child_process';
import { statfsSync } from 'node:fs';

/** A set-up that cannot go on; its message is one line that says what to do. */
export class SetupError extends Error {
  /**
   * @param {unknown} error
   * @param {string} what
   */
  static from(error, what) {
    const text =
      error instanceof Error ? `${'code' in error ? error.code : ''} ${error.message}` : String(error);
    return new SetupError(`${what}: ${remedy(text) ?? firstFault(text)}`);
  }
}

/** @type {readonly (readonly [RegExp, string])[]} */
const REMEDIES = [
  [/ENOSPC|no space left/i, 'the disk is full; 1.5 GB are needed in all'],
  [
    /EROFS|EACCES|EPERM|permission denied/i,
    'no permission to write there; change its owner, or clone into a folder of yours',
  ],
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ECONNRESET|ERR_SOCKET|network|dns error|error sending request/i,
    'the npm registry cannot be reached; check the network or `npm config get registry`',
  ],
  [/E40[13]\b/i, 'the npm registry refuses this account; check `npm config list`'],
  [/ETARGET|E404/i, 'the npm registry does not have this version; check `npm config get registry`'],
  [
    /OUTDATED_LOCKFILE|frozen-lockfile/i,
    'pnpm-lock.yaml does not fit the package.json files; run `pnpm install` and commit the lockfile',
  ],
];

/** @param {string} text */
function remedy(text) {
  return REMEDIES.find(([pattern]) => pattern.test(text))?.[1];
}

const FULL_BELOW_BYTES = 50 * 1024 * 1024;

/** A program that was cut short by a full disk fails without a word. @param {string} dir */
function fullDisk(dir) {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize < FULL_BELOW_BYTES ? 'ENOSPC' : '';
}

/** @param {string} text */
function firstFault(text) {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  return lines.find((line) => /err/i.test(line)) ?? lines[0] ?? 'no reason given';
}

/**
 * Runs a command of the set-up quietly; its output is shown only as the reason of a failure.
 * @param {string} what names the step in the error
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv, missing?: string }} options
 * @returns {Promise<string>} its output
 */
export function runStep(what, command, args, { cwd, env = process.env, missing }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (/** @type {Buffer} */ chunk) => {
      output += chunk;
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => {
      const absent = 'code' in error && error.code === 'ENOENT' && missing;
      reject(absent ? new SetupError(missing) : SetupError.from(error, what));
    });
    child.on('close', (code) =>
      code === 0 ? resolve(output) : reject(SetupError.from(output + fullDisk(cwd), what)),
    );
  });
}

/** @param {number} startedAt */
export function secondsSince(startedAt) {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}
