import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

export const DOCKER_SOCKET = '/var/run/docker.sock';

/**
 * The Docker volume that keeps a server's data between runs of `npm start`.
 * @param {string} root
 * @param {'kafka' | 'postgres'} server
 */
export function volumeName(root, server) {
  return `posthorn-${createHash('sha256').update(root).digest('hex').slice(0, 8)}-${server}`;
}

/**
 * Removes the volumes, if there is a Docker that could have made them.
 * @param {string} root
 */
export async function removeVolumes(root) {
  if (!existsSync(DOCKER_SOCKET) && !process.env.DOCKER_HOST) return;
  const names = [volumeName(root, 'kafka'), volumeName(root, 'postgres')];
  // Neither a missing docker command nor a missing volume leaves anything to do.
  await promisify(execFile)('docker', ['volume', 'rm', '-f', ...names]).catch(() => {});
}
