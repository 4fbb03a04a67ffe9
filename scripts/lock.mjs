import {
  linkSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identify, isAlive } from './run-file.mjs';

/**
 * A lock that survives nobody: its file names the holder's pid and the moment of its start, so what a killed process
 * left is recognised and taken over.
 *
 * Modes: free (no file) → held (a file of a live process) → free, or stale (its process is gone) → free. Only who has
 * made the folder `<lock>.takeover` may remove a stale file, so that nobody removes the file of a holder who has just
 * come.
 */

/** @typedef {() => void} Release */
/** @typedef {'setup' | 'run'} Purpose */

/** A takeover is a few system calls; one as old as this was cut short. */
const TAKEOVER_STALE_MS = 5_000;
const RETRY_MS = 20;
const POLL_MS = 200;

/**
 * @param {Purpose} purpose
 * @param {string} root
 */
function fileOf(purpose, root) {
  return purpose === 'setup' ? join(root, '.toolchain', 'setup.lock') : join(root, '.posthorn', 'run.lock');
}

/**
 * Takes the lock, or answers undefined when another process holds it.
 * @param {Purpose} purpose
 * @param {string} root
 * @returns {Promise<Release | undefined>}
 */
export async function tryLock(purpose, root) {
  const file = fileOf(purpose, root);
  const draft = `${file}.${process.pid}`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(draft, JSON.stringify(identify(purpose, process.pid)));
  try {
    for (;;) {
      // A link appears whole or not at all, and only where nothing is.
      if (succeeds(() => linkSync(draft, file), 'EEXIST')) return () => rmSync(file, { force: true });
      if (isHeld(file)) return undefined;
      if (!takeOver(file)) await delay(RETRY_MS);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * @param {Purpose} purpose
 * @param {string} root
 */
export function isLocked(purpose, root) {
  return isHeld(fileOf(purpose, root));
}

/**
 * Waits for the lock of the set-up; `waiting` is called once if somebody else holds it.
 * @param {string} root
 * @param {() => void} waiting
 * @returns {Promise<Release>}
 */
export async function setupLock(root, waiting) {
  for (let told = false; ; told = true) {
    const release = await tryLock('setup', root);
    if (release) return release;
    if (!told) waiting();
    while (isLocked('setup', root)) await delay(POLL_MS);
  }
}

/** @param {string} file */
function isHeld(file) {
  try {
    return isAlive(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return false;
  }
}

/** Removes a stale lock; false when somebody else is about to. @param {string} file */
function takeOver(file) {
  const claim = `${file}.takeover`;
  if (!succeeds(() => mkdirSync(claim), 'EEXIST')) {
    if (ageMs(claim) > TAKEOVER_STALE_MS) succeeds(() => rmdirSync(claim), 'ENOENT');
    return false;
  }
  if (!isHeld(file)) succeeds(() => unlinkSync(file), 'ENOENT');
  rmdirSync(claim);
  return true;
}

/** @param {string} path */
function ageMs(path) {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

/**
 * @param {() => void} act
 * @param {string} expected the error code that means no
 */
function succeeds(act, expected) {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === expected) return false;
    throw error;
  }
}
