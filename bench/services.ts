import { type ChildProcess, fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitUntil } from '@posthorn/testkit';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const SERVICES = ['recorder', 'worker', 'dispatcher', 'ingest'] as const;
/** As in the service image: twice the young generation costs 8 % less CPU under load, for some tens of MB. */
const NODE_FLAGS = ['--max-semi-space-size=32'];
const STOP_MS = 30_000;

export interface RunningService {
  readonly name: string;
  readonly pid: number;
  stop(): Promise<void>;
  /** Without waiting for what it has under way. */
  kill(): void;
}

/**
 * Starts one service of a checkout, its log in a file of `logDir`, with this environment and no other, and waits until
 * it says that it has started.
 */
export async function startService(
  name: string,
  environment: Record<string, string>,
  logDir: string,
  checkout: string,
): Promise<RunningService> {
  const logFile = join(logDir, `${name}-${randomBytes(3).toString('hex')}.log`);
  const log = openSync(logFile, 'w');
  const child = spawn(process.execPath, [...NODE_FLAGS, `services/${name}/src/main.ts`], {
    cwd: checkout,
    env: environment,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  await waitUntil(
    async () => {
      if (child.exitCode !== null) throw new Error(`${name} ended while starting: see ${logFile}`);
      return (await readFile(logFile, 'utf8')).includes('service started');
    },
    { what: `${name} to start (${logFile})`, timeoutMs: 30_000 },
  );
  return {
    name,
    pid: child.pid!,
    stop: () => stopChild(child),
    kill: () => void child.kill('SIGKILL'),
  };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(timer);
}

/** A helper process of the load test itself, spoken to over IPC: one message, one answer. */
export interface Peer {
  ask<T>(message: unknown): Promise<T>;
  stop(): void;
}

export async function startPeer(script: string, args: readonly string[] = []): Promise<Peer> {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), [...args], { stdio: 'inherit' });
  await once(child, 'message');
  return {
    async ask<T>(message: unknown) {
      const answered = once(child, 'message');
      child.send(message as object);
      return (await answered)[0] as T;
    },
    stop: () => child.disconnect(),
  };
}
