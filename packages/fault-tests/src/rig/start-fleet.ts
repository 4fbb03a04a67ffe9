import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type LogLine, type ServiceName, type ServiceProcess, startService } from '@posthorn/system-tests';

/** One process of a service that a test breaks. Modes: up, frozen (SIGSTOP), down. */
export interface Member {
  readonly service: ServiceName;
  readonly name: string;
  readonly pid: number;
  readonly up: boolean;
  /** The checkout that it is started from, from its next start on. */
  root: string;
  /** What it has said of late. */
  readonly lines: ServiceProcess['lines'];
  /** Whether it says such a line within the time, or has said it of late. */
  says(fits: (line: LogLine) => boolean, timeoutMs: number): Promise<boolean>;
  /** Tries again for a while, as an orchestrator does. */
  start(environment?: Readonly<Record<string, string>>): Promise<void>;
  /** @throws Error with its last lines when it does not start. */
  startOnce(environment?: Readonly<Record<string, string>>): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  signal(signal: NodeJS.Signals): void;
}

export interface FleetOptions {
  /** A member that should be up has ended by itself; it is started again, as an orchestrator would. */
  readonly onUnexpectedEnd: (member: Member, exitCode: number | null, lines: ServiceProcess['lines']) => void;
  readonly logDir: string;
  /** The checkout that members are started from at first. */
  readonly root: string;
  readonly onSpawn: (name: string, pid: number | undefined) => void;
  environmentOf(service: ServiceName, index: number): Readonly<Record<string, string>>;
}

export interface Fleet {
  /** All members, down ones too. */
  members(service?: ServiceName): readonly Member[];
  member(name: string): Member;
  add(service: ServiceName): Promise<Member>;
  stop(): Promise<void>;
}

const KEEP_LINES = 300;
/** A service that finds Kafka or Postgres away may end instead of starting; whoever runs it tries again. */
const START_WITHIN_MS = 180_000;
/** A member joins its group when that has given up the one that was killed, and starts over when the broker is killed. */
const START_ONCE_MS = 45_000;
const START_AGAIN_MS = 300;

export function createFleet(options: FleetOptions): Fleet {
  const members: Member[] = [];
  const of = (service?: ServiceName) =>
    service === undefined ? members : members.filter((member) => member.service === service);
  return {
    members: of,
    member(name) {
      const found = members.find((member) => member.name === name);
      if (!found) throw new Error(`there is no ${name}`);
      return found;
    },
    async add(service) {
      const index = of(service).length + 1;
      const member = createMember(service, index, options);
      members.push(member);
      await member.start();
      return member;
    },
    async stop() {
      // What is frozen could not stop; nothing of this run is wanted any more.
      await Promise.all(members.filter((member) => member.up).map((member) => member.kill()));
    },
  };
}

function createMember(service: ServiceName, index: number, options: FleetOptions): Member {
  const name = `${service}-${index}`;
  let process: ServiceProcess | undefined;

  async function startOnce(environment: Readonly<Record<string, string>>): Promise<void> {
    const started = await startService(
      service,
      { ...options.environmentOf(service, index), ...environment },
      {
        logFile: join(options.logDir, `${name}.log`),
        keepLines: KEEP_LINES,
        startTimeoutMs: START_ONCE_MS,
        detached: true,
        root: member.root,
        onSpawn: (pid) => options.onSpawn(name, pid),
      },
    );
    process = started;
    void started.waitForEnd().then((exitCode) => {
      if (process !== started) return;
      process = undefined;
      options.onUnexpectedEnd(member, exitCode, started.lines);
    });
  }
  const end = async (signal: NodeJS.Signals) => {
    const ending = process;
    process = undefined;
    return ending === undefined ? null : ending.stop(signal);
  };
  const member: Member = {
    service,
    name,
    root: options.root,
    get pid() {
      return process?.pid ?? -1;
    },
    get up() {
      return process !== undefined;
    },
    get lines() {
      return process?.lines ?? [];
    },
    async says(fits, timeoutMs) {
      const line = process?.waitForLine(fits, { what: 'the line', timeoutMs });
      return (await line?.catch(() => undefined)) !== undefined;
    },
    startOnce: (environment = {}) => startOnce(environment),
    async start(environment = {}) {
      const deadline = performance.now() + START_WITHIN_MS;
      for (;;) {
        try {
          return await startOnce(environment);
        } catch (error) {
          if (performance.now() > deadline) throw error;
          await delay(START_AGAIN_MS);
        }
      }
    },
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    signal: (signal) => process?.signal(signal),
  };
  return member;
}
