import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 25;
/** The line of a log that says why: Postgres' FATAL, the exception of Java that caused the others. */
const FAULT = /FATAL|^Caused by:|Exception: /;

export type ServerProcess = {
  readonly pid: number;
  running(): boolean;
  readonly exited: Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Sends `signal` and, when the process is still there after `graceMs`, SIGKILL. Safe twice. */
  stop(signal: NodeJS.Signals, graceMs: number): Promise<void>;
};

export type ServerCommand = {
  command: string;
  args: string[];
  logFile: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  uid?: number;
  gid?: number;
};

/**
 * Starts a server in a session of its own, so that a Ctrl-C in the terminal reaches us alone and we decide the
 * order in which things stop.
 */
export function spawnServer(options: ServerCommand): ServerProcess {
  const log = openSync(options.logFile, 'w');
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    uid: options.uid,
    gid: options.gid,
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const running = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? 0,
    running,
    exited,
    kill: (signal) => void (running() && child.kill(signal)),
    async stop(signal, graceMs) {
      if (!running()) return;
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

export type ReadyCheck = {
  name: string;
  server: ServerProcess;
  logFile: string;
  timeoutMs: number;
  signal?: AbortSignal;
  ready: () => Promise<boolean>;
};

/** Waits until `ready` holds. Throws one line with what the server's log gives as the reason when it dies or takes too long. */
export async function waitUntilReady(check: ReadyCheck): Promise<void> {
  const deadline = performance.now() + check.timeoutMs;
  while (!(await check.ready())) {
    check.signal?.throwIfAborted();
    if (!check.server.running()) throw await notReady(check, 'ended while starting');
    if (performance.now() > deadline) {
      throw await notReady(check, `was not ready within ${check.timeoutMs / 1000} s`);
    }
    await delay(POLL_MS, undefined, { signal: check.signal });
  }
}

async function notReady(check: ReadyCheck, what: string): Promise<Error> {
  const log = await readFile(check.logFile, 'utf8').catch(() => '');
  const lines = log.trim().split('\n');
  const reason = lines.findLast((line) => FAULT.test(line)) ?? lines.at(-1);
  return new Error(
    `${check.name} ${what}: ${reason?.trim() || 'it said nothing'} (more in ${check.logFile})`,
  );
}
