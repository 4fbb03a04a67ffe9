import { readFileSync } from 'node:fs';

/** The rest is for Kafka, Postgres, the admin server and name servers. */
const SHARE = 0.75;

/** How many connections may be open: what was asked for, within what this process may open of anything. */
export function mostConnections(wanted: number, limits: string | null = readLimits()): number {
  const openFiles = Number(/^Max open files +(\d+)/m.exec(limits ?? '')?.[1] ?? Number.POSITIVE_INFINITY);
  return Math.max(1, Math.min(wanted, Math.floor(openFiles * SHARE)));
}

/** Linux alone says it; elsewhere the operator's number stands. */
function readLimits(): string | null {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return null;
  }
}
