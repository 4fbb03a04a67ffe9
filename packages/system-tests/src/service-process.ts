import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createSignalledList, type SignalWait } from '@posthorn/testkit';
import { inheritedEnvironment } from './inherited-environment.ts';

/** A line of a service's log, parsed; lines that are not JSON come with `raw` alone. */
export interface LogLine {
  readonly msg?: string;
  readonly level?: string;
  readonly raw: string;
  readonly [field: string]: unknown;
}

export interface ServiceProcess {
  readonly name: string;
  readonly pid: number;
  readonly lines: readonly LogLine[];
  readonly exitCode: number | null;
  /** Resolves when a line that fits has been written, also before the call. */
  waitForLine(fits: (line: LogLine) => boolean, wait: SignalWait): Promise<LogLine>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves as soon as the process has ended, whatever ended it; its last lines may come later. */
  waitForEnd(): Promise<number | null>;
  /** SIGTERM unless told otherwise; resolves with the exit code, null when a signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const START_TIMEOUT_MS = 45_000;
const LINES_IN_ERROR = 15;

export interface ServiceOptions {
  /** All lines are appended to this file as well. */
  readonly logFile?: string;
  /** Lines kept in memory; all of them unless given. */
  readonly keepLines?: number;
  /** In a process group of its own, which outlives a Ctrl-C in the terminal. */
  readonly detached?: boolean;
  readonly startTimeoutMs?: number;
  /** The checkout it is started from; this one unless given. */
  readonly root?: string;
  readonly onSpawn?: (pid: number | undefined) => void;
}

/** Starts `services/<name>` as a process of its own and waits until it says that it has started. */
export async function startService(
  name: string,
  environment: Readonly<Record<string, string>>,
  options: ServiceOptions = {},
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [`services/${name}/src/main.ts`], {
    cwd: options.root ?? ROOT,
    env: { ...inheritedEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.detached ?? false,
  });
  options.onSpawn?.(child.pid);
  const service = follow(name, child, options);
  try {
    await service.waitForLine((line) => line.msg === 'service started' || line.msg === EXITED, {
      what: () => `${name} to start; its last lines:\n${tail(service.lines)}`,
      timeoutMs: options.startTimeoutMs ?? START_TIMEOUT_MS,
    });
    if (service.exitCode !== null) throw new Error(`${name} ended while starting:\n${tail(service.lines)}`);
  } catch (error) {
    await service.stop('SIGKILL');
    throw error;
  }
  return service;
}

const EXITED = '(process ended)';

function follow(name: string, child: ChildProcess, { logFile, keepLines }: ServiceOptions): ServiceProcess {
  const log = createSignalledList<LogLine>(keepLines);
  const file = logFile === undefined ? undefined : createWriteStream(logFile, { flags: 'a' });
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      file?.end();
      log.push({ raw: EXITED, msg: EXITED });
      resolve(code);
    });
    child.once('error', (error) => {
      log.push({ raw: String(error), msg: EXITED });
      resolve(-1);
    });
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', resolve);
    child.once('error', () => resolve(-1));
  });
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (raw) => {
      file?.write(`${raw}\n`);
      log.push(parse(raw));
    });
  }
  return {
    name,
    pid: child.pid ?? -1,
    lines: log.items,
    get exitCode() {
      return child.exitCode;
    },
    async waitForLine(fits, wait) {
      await log.waitFor(() => log.items.some(fits), wait);
      return log.items.find(fits)!;
    },
    signal: (signal) => void child.kill(signal),
    waitForEnd: () => ended,
    stop(signal = 'SIGTERM') {
      // One that is stopped takes no other signal than SIGKILL before it goes on.
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        if (signal !== 'SIGKILL') child.kill('SIGCONT');
      }
      return exited;
    },
  };
}

function parse(raw: string): LogLine {
  if (!raw.startsWith('{')) return { raw };
  try {
    return { ...(JSON.parse(raw) as object), raw };
  } catch {
    return { raw };
  }
}

function tail(lines: readonly LogLine[]): string {
  return lines
    .slice(-LINES_IN_ERROR)
    .map((line) => `  ${line.raw}`)
    .join('\n');
}
