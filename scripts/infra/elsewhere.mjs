import { createHash } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Postgres does not run as root; as another user it cannot enter a clone below /root. Its files then live in a folder
 * outside, whose name follows from the one they should have been in.
 */
const OUTSIDE = '/var/tmp';
const OTHERS_MAY_ENTER = 0o001;

/**
 * `dir`, or the folder outside when others than its owner cannot reach it.
 * @param {string} dir
 */
export async function reachable(dir) {
  return (await isReachable(dir)) ? dir : elsewhere(dir);
}

/** @param {string} dir */
export async function isReachable(dir) {
  for (let at = dir; at !== dirname(at); at = dirname(at)) {
    const found = await stat(at).catch(() => undefined);
    if (found && (found.mode & OTHERS_MAY_ENTER) === 0) return false;
  }
  return true;
}

/** @param {string} dir */
export function elsewhere(dir) {
  return join(OUTSIDE, `posthorn-${createHash('sha256').update(dir).digest('hex').slice(0, 12)}`);
}

/**
 * Removes a folder and what is kept for it outside.
 * @param {string} dir
 */
export async function removeWithElsewhere(dir) {
  await Promise.all([dir, elsewhere(dir)].map((path) => rm(path, { recursive: true, force: true })));
}
