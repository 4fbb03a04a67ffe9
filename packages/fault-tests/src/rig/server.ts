import type { ServerProcess } from '@posthorn/scripts/embedded';

/** A broker or a database that a test breaks. Modes: up, frozen (SIGSTOP), down; the test moves it between them. */
export interface Server {
  readonly name: string;
  readonly pid: number;
  /** At once, with nothing put in order. */
  kill(): Promise<void>;
  /** In order. */
  stop(): Promise<void>;
  /** Resolves when it answers. */
  start(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

export interface ServerControl {
  readonly name: string;
  start(): Promise<ServerProcess>;
  kill(server: ServerProcess): Promise<void>;
  stop(server: ServerProcess): Promise<void>;
}

/** Whoever runs it tries again. */
const MOST_TRIES = 3;

/** Started when this resolves. */
export async function createServerControl(control: ServerControl): Promise<Server> {
  let running = await control.start();
  return {
    name: control.name,
    get pid() {
      return running.pid;
    },
    kill: () => control.kill(running),
    stop: () => control.stop(running),
    async start() {
      for (let tries = 1; ; tries++) {
        try {
          running = await control.start();
          return;
        } catch (error) {
          if (tries === MOST_TRIES) throw error;
        }
      }
    },
    signal: (signal) => running.kill(signal),
  };
}
