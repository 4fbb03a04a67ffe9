import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A lock that cannot go stale: the kernel takes a socket back when its process ends, however it ends. On Linux its
 * name is abstract (no file at all); elsewhere a file that nobody answers at is put aside.
 */

/** @typedef {() => void} Release */

/**
 * Takes the lock, or answers undefined when another process holds it.
 * @param {string} purpose
 * @param {string} root
 * @returns {Promise<Release | undefined>}
 */
export async function tryLock(purpose, root) {
  const address = addressOf(purpose, root);
  /** @type {Set<import('node:net').Socket>} */
  const waiting = new Set();
  const server = createServer((socket) => {
    waiting.add(socket);
    socket.on('error', () => {}).on('close', () => waiting.delete(socket));
    socket.resume().unref();
  });
  const held = new Promise((resolve, reject) => {
    server.once('listening', () => resolve(true));
    server.once('error', (error) =>
      'code' in error && error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    );
  });
  server.listen(address);
  if (await held) {
    server.unref();
    return () => {
      server.close();
      for (const socket of waiting) socket.destroy();
    };
  }
  if (address.startsWith('\0') || (await isLocked(purpose, root))) return undefined;
  rmSync(address, { force: true });
  return tryLock(purpose, root);
}

/**
 * @param {string} purpose
 * @param {string} root
 */
export async function isLocked(purpose, root) {
  const socket = connect(addressOf(purpose, root));
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/**
 * Waits for the lock of the set-up; `waiting` is called once if somebody else holds it.
 * @param {string} root
 * @param {() => void} waiting
 * @returns {Promise<Release>}
 */
export async function setupLock(root, waiting) {
  let told = false;
  for (;;) {
    const release = await tryLock('setup', root);
    if (release) return release;
    if (!told) waiting();
    told = true;
    await holderEnds('setup', root);
  }
}

/**
 * @param {string} purpose
 * @param {string} root
 */
async function holderEnds(purpose, root) {
  const socket = connect(addressOf(purpose, root));
  socket.on('error', () => {});
  await once(socket.resume(), 'close');
}

/**
 * @param {string} purpose
 * @param {string} root
 */
function addressOf(purpose, root) {
  const name = `posthorn-${purpose}-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`;
  return process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`);
}
