import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Where ports are looked for: below the ranges that systems take the ports of outgoing connections from (32768 on
 * Linux, 49152 by IANA), or a connection of somebody else could have it before the process that is told it listens.
 */
export const FREE_PORTS = { from: 15_000, to: 32_767 };
const MAX_TRIES = 200;

const given = new Set<number>();

/**
 * A loopback port that nothing listens on at this moment, and that this process was not given before: for processes
 * that must be told theirs.
 * @throws Error when none of 200 tries found one
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const port = randomInt(FREE_PORTS.from, FREE_PORTS.to + 1);
    if (given.has(port)) continue;
    given.add(port);
    if (await isPortFree(port)) return port;
  }
  throw new Error(`no free port between ${FREE_PORTS.from} and ${FREE_PORTS.to} in ${MAX_TRIES} tries`);
}

/** Whether `port` can be listened on. */
export function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}
