import type { Admin, ProduceReport } from '@posthorn/kafka';
import { type Logger, within } from '@posthorn/runtime';

/**
 * Whether Kafka takes events, for health alone: no request is refused by it. Modes: *up* and *down*; every produce
 * request moves it, and while none is made a look at the topic does.
 */
export interface KafkaWatch {
  readonly up: boolean;
  observe(report: ProduceReport): void;
  start(): void;
  stop(): void;
}

export interface KafkaWatchOptions {
  readonly admin: Pick<Admin, 'endOffsets'>;
  readonly topic: string;
  readonly log: Logger;
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
}

const INTERVAL_MS = 3_000;
const TIMEOUT_MS = 3_000;

export function createKafkaWatch(options: KafkaWatchOptions): KafkaWatch {
  const { admin, topic, log, intervalMs = INTERVAL_MS, timeoutMs = TIMEOUT_MS } = options;
  let up = true;
  let produced = false;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function set(next: boolean): void {
    if (next !== up) log[next ? 'info' : 'warn']({}, next ? 'kafka answers again' : 'kafka does not answer');
    up = next;
  }

  async function look(): Promise<void> {
    if (!produced) set(await answersWithin(timeoutMs, admin.endOffsets(topic)));
    produced = false;
    schedule();
  }

  function schedule(): void {
    if (!stopped) timer = setTimeout(look, intervalMs);
  }

  return {
    get up() {
      return up;
    },
    observe({ outcome }) {
      produced = true;
      set(outcome === 'acknowledged' || outcome === 'resent');
    },
    start: schedule,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function answersWithin(timeoutMs: number, question: Promise<unknown>): Promise<boolean> {
  const answered = question.then(
    () => true,
    () => false,
  );
  return within(timeoutMs, answered, () => false);
}
