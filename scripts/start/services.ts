import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openLog } from './bounded-log.ts';

export const SERVICES = ['ingest', 'dispatcher', 'worker', 'recorder'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** A line of a service's log that is JSON. */
export type LogLine = { readonly msg?: string; readonly time?: string; readonly [field: string]: unknown };

export type Service = {
  readonly name: ServiceName;
  readonly pid: number | undefined;
  readonly logFile: string;
  /** Resolves with why it ended, whenever that is. */
  readonly ended: Promise<string>;
  /** Throws one line when it ends first or takes too long. */
  started(): Promise<void>;
  stop(hurry: AbortSignal): Promise<void>;
};

export type ServiceOptions = {
  readonly root: string;
  readonly logDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onLine: (service: ServiceName, line: LogLine) => void;
};

/** As in the service image. */
const NODE_FLAGS = ['--max-semi-space-size=32'];
const START_MS = 30_000;
const STOP_GRACE_MS = 20_000;
const STARTED = 'service started';
const LINES_SHOWN = 3;

/** Starts one service in a process group of its own, so that Ctrl-C reaches it through us alone. */
export function startService(name: ServiceName, options: ServiceOptions): Service {
  const logFile = join(options.logDir, `${name}.log`);
  const log = openLog(logFile);
  const child = spawn(process.execPath, [...NODE_FLAGS, `services/${name}/src/main.ts`], {
    cwd: options.root,
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const up = Promise.withResolvers<'started'>();
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ? `ended by ${signal}` : `exit code ${code}`));
  });
  ended.then(() => log.end());
  createInterface({ input: child.stderr }).on('line', (text) => log.write(text));
  createInterface({ input: child.stdout }).on('line', (text) => {
    log.write(text);
    const line = parse(text);
    if (line?.msg === STARTED) up.resolve('started');
    if (line) options.onLine(name, line);
  });
  const alive = () => child.exitCode === null && child.signalCode === null && child.pid !== undefined;
  return {
    name,
    pid: child.pid,
    logFile,
    ended,
    async started() {
      const late = AbortSignal.timeout(START_MS);
      const first = await Promise.race([up.promise, ended, once(late, 'abort').then(() => 'late')]);
      if (first === 'started') return;
      const what = first === 'late' ? `was not up within ${START_MS / 1000} s` : `did not start (${first})`;
      throw new Error(`${name} ${what}; the end of ${logFile}:\n  ${await tail(logFile)}`);
    },
    async stop(hurry) {
      if (!alive()) return;
      child.kill('SIGTERM');
      const end = () => child.kill('SIGKILL');
      const timer = setTimeout(end, STOP_GRACE_MS);
      if (hurry.aborted) end();
      hurry.addEventListener('abort', end, { once: true });
      await ended;
      clearTimeout(timer);
      hurry.removeEventListener('abort', end);
    },
  };
}

function parse(text: string): LogLine | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function tail(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trim().split('\n').slice(-LINES_SHOWN).join('\n  ');
}
