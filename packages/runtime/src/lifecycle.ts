import type { Logger } from './logger.ts';
import { within } from './within.ts';

/**
 * A service's life: parts start in the order they are given and stop in the opposite order, once, whatever asks for
 * it: a signal, a fatal error, or a start that failed half-way. The shutdown order is that one list.
 *
 * Modes: starting → running → stopping → stopped. A stop asked for while starting waits for the part under way.
 */
export interface Part {
  readonly name: string;
  start?(): Promise<void> | void;
  stop?(): Promise<void> | void;
}

export interface Lifecycle {
  readonly mode: 'starting' | 'running' | 'stopping' | 'stopped';
  start(): Promise<void>;
  /** Safe twice and before start; resolves when all parts have stopped or the deadline has passed. */
  stop(reason: string): Promise<void>;
}

export const DEFAULT_STOP_TIMEOUT_MS = 30_000;

/** A stop that takes longer than `stopTimeoutMs` is given up, and said. */
export function createLifecycle(
  parts: readonly Part[],
  log: Logger,
  stopTimeoutMs = DEFAULT_STOP_TIMEOUT_MS,
): Lifecycle {
  const started: Part[] = [];
  let mode: Lifecycle['mode'] = 'starting';
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;

  async function startParts(): Promise<void> {
    for (const part of parts) {
      if (mode !== 'starting') return;
      started.push(part);
      await part.start?.();
    }
    if (mode === 'starting') mode = 'running';
  }

  async function stopParts(reason: string): Promise<void> {
    mode = 'stopping';
    log.info({ reason }, 'service stopping');
    await starting?.catch(() => undefined);
    while (started.length > 0) {
      const part = started.pop()!;
      try {
        await part.stop?.();
      } catch (error) {
        log.error({ err: error, part: part.name }, 'part failed to stop');
      }
    }
    mode = 'stopped';
    log.info({}, 'service stopped');
  }

  return {
    get mode() {
      return mode;
    },
    start() {
      starting ??= startParts();
      return starting;
    },
    stop(reason) {
      stopping ??= within(stopTimeoutMs, stopParts(reason), () => {
        log.error({ timeout_ms: stopTimeoutMs }, 'service did not stop in time');
      });
      return stopping;
    },
  };
}

/** Runs a service as the process: SIGTERM and SIGINT stop it, a failed start or a fatal error ends it non-zero. */
export async function runProcess(lifecycle: Lifecycle, log: Logger): Promise<void> {
  const end = (reason: string, code: number): void => {
    void lifecycle.stop(reason).then(() => process.exit(code));
  };
  process.on('SIGTERM', () => end('SIGTERM', 0));
  process.on('SIGINT', () => end('SIGINT', 0));
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'uncaught exception');
    end('uncaught exception', 1);
  });
  process.on('unhandledRejection', (error) => {
    log.fatal({ err: error }, 'unhandled rejection');
    end('unhandled rejection', 1);
  });
  try {
    await lifecycle.start();
    if (lifecycle.mode === 'running') log.info({}, 'service started');
  } catch (error) {
    log.fatal({ err: error }, 'service failed to start');
    end('failed to start', 1);
  }
}
