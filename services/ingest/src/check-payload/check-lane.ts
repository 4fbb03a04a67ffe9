import { Worker } from 'node:worker_threads';
import type { PayloadFault } from './compile-schema.ts';
import type { Answered, Asked } from './messages.ts';

export type CheckOutcome =
  | { readonly kind: 'fits' }
  | { readonly kind: 'faults'; readonly faults: readonly PayloadFault[] }
  | { readonly kind: 'not_checked'; readonly reason: NotChecked };

/** Out of time, out of memory, too many wait, or the check itself broke. */
export type NotChecked = 'timeout' | 'crashed' | 'busy' | 'failed';

export interface Check {
  readonly key: string;
  /** JSON text. */
  readonly schema: string;
  readonly payload: Uint8Array;
}

/** The part of a thread that a lane needs. */
export type Thread = Pick<Worker, 'on' | 'postMessage' | 'terminate' | 'unref'>;

export interface CheckLaneOptions {
  /** CHECK_DEADLINE_MS when left out. */
  readonly checkDeadlineMs?: number;
  readonly startThread?: () => Thread;
}

/**
 * One thread, one job at a time, each within a deadline.
 *
 * Modes: `off` (no thread; so at first) → `starting` (a job asked for one) → `idle` ⇄ `busy`. A deadline, a crash or
 * `stop` ends the thread: `off`. The job under way is not checked then, those that wait get the next thread.
 */
export interface CheckLane {
  check(check: Check): Promise<CheckOutcome>;
  inspect(schema: string, examples: string): Promise<CheckOutcome>;
  /** Jobs that wait or are under way. */
  readonly size: number;
  readonly compiledSchemas: number;
  stop(): Promise<void>;
}

export const CHECK_DEADLINE_MS = 250;
/** Of compiling a schema, and of looking at a new one with its examples. */
export const COMPILE_DEADLINE_MS = 1_000;
/** Further jobs are answered `busy`. */
export const MAX_WAITING_CHECKS = 1_000;
export const MAX_COMPILED_SCHEMAS = 200;
const START_TIMEOUT_MS = 10_000;
const MAX_HEAP_MB = 128;
const MAX_YOUNG_HEAP_MB = 32;

interface Job {
  readonly deadlineMs: number;
  /** The schema that the thread has to have compiled before. */
  readonly needs: Check | null;
  readonly ask: () => Asked;
  readonly settle: (outcome: CheckOutcome) => void;
}

export function createCheckLane(options: CheckLaneOptions = {}): CheckLane {
  const { checkDeadlineMs = CHECK_DEADLINE_MS, startThread = startWorker } = options;
  const waiting: Job[] = [];
  // Those that the thread holds, the one used least recently first.
  const held = new Set<string>();
  let mode: 'off' | 'starting' | 'idle' | 'busy' = 'off';
  let thread: Thread | null = null;
  let underWay: Job | null = null;
  let timer: NodeJS.Timeout | undefined;

  function next(): void {
    if (waiting.length === 0) return;
    if (mode === 'off') start();
    if (mode !== 'idle') return;
    const first = waiting[0]!;
    const job = first.needs && !held.has(first.needs.key) ? compileFor(first, first.needs) : waiting.shift()!;
    underWay = job;
    mode = 'busy';
    expectBy(job.deadlineMs, 'timeout');
    const asked = job.ask();
    thread!.postMessage(asked, asked.kind === 'check' ? [asked.payload.buffer as ArrayBuffer] : []);
  }

  /** The job stays at the head until then; a schema that cannot be compiled takes it along. */
  function compileFor(first: Job, { key, schema }: Check): Job {
    return {
      deadlineMs: COMPILE_DEADLINE_MS,
      needs: null,
      ask: () => ({ kind: 'compile', key, schema, forget: hold(key) }),
      settle(outcome) {
        if (outcome.kind === 'fits') return;
        held.delete(key);
        if (waiting[0] === first) waiting.shift();
        first.settle(outcome);
      },
    };
  }

  function start(): void {
    const started = startThread();
    thread = started;
    mode = 'starting';
    expectBy(START_TIMEOUT_MS, 'failed');
    started.unref();
    started.on('message', (answered: Answered) => {
      if (started === thread) hear(answered);
    });
    for (const event of ['error', 'exit']) {
      started.on(event, () => {
        if (started === thread) end(mode === 'starting' ? 'failed' : 'crashed');
      });
    }
  }

  function hear(answered: Answered): void {
    clearTimeout(timer);
    mode = 'idle';
    if (answered.kind !== 'ready') {
      const job = underWay!;
      underWay = null;
      job.settle(toOutcome(answered));
    }
    next();
  }

  function expectBy(timeMs: number, reason: NotChecked): void {
    clearTimeout(timer);
    const late = thread;
    // An answer that came while this thread was busy is heard first.
    timer = setTimeout(() => setImmediate(() => giveUp(late, reason)), timeMs);
    timer.unref();
  }

  function giveUp(late: Thread | null, reason: NotChecked): void {
    if (late === thread && (mode === 'busy' || mode === 'starting')) end(reason);
  }

  /** Ends the thread; without one that starts, whoever asked for it first is not served. */
  function end(reason: NotChecked): void {
    clearTimeout(timer);
    const ended = thread;
    const job = underWay ?? (mode === 'starting' ? waiting.shift() : undefined);
    thread = null;
    underWay = null;
    mode = 'off';
    held.clear();
    void ended?.terminate();
    job?.settle({ kind: 'not_checked', reason });
    next();
  }

  function enter(job: Omit<Job, 'settle'>): Promise<CheckOutcome> {
    if (waiting.length >= MAX_WAITING_CHECKS) return Promise.resolve({ kind: 'not_checked', reason: 'busy' });
    const { promise, resolve } = Promise.withResolvers<CheckOutcome>();
    waiting.push({ ...job, settle: resolve });
    next();
    return promise;
  }

  /** Notes its use; gives back the schema that makes room for it. */
  function hold(key: string): string | null {
    held.delete(key);
    held.add(key);
    const [oldest] = held.size > MAX_COMPILED_SCHEMAS ? held : [];
    if (oldest !== undefined) held.delete(oldest);
    return oldest ?? null;
  }

  return {
    check: (check) =>
      enter({
        deadlineMs: checkDeadlineMs,
        needs: check,
        ask() {
          hold(check.key);
          // A copy of its own: a view would take the whole request with it.
          return { kind: 'check', key: check.key, payload: Uint8Array.from(check.payload) };
        },
      }),
    inspect: (schema, examples) =>
      enter({
        deadlineMs: COMPILE_DEADLINE_MS,
        needs: null,
        ask: () => ({ kind: 'inspect', schema, examples }),
      }),
    get size() {
      return waiting.length + (underWay ? 1 : 0);
    },
    get compiledSchemas() {
      return held.size;
    },
    async stop() {
      const ended = thread;
      for (const job of waiting.splice(0)) job.settle({ kind: 'not_checked', reason: 'failed' });
      if (mode !== 'off') end('failed');
      await ended?.terminate();
    },
  };
}

function toOutcome(answered: Exclude<Answered, { kind: 'ready' }>): CheckOutcome {
  if (answered.kind === 'failed') return { kind: 'not_checked', reason: 'failed' };
  return answered.faults.length === 0 ? { kind: 'fits' } : { kind: 'faults', faults: answered.faults };
}

function startWorker(): Thread {
  return new Worker(new URL('./check-thread.ts', import.meta.url), {
    name: 'check-payload',
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB, maxYoungGenerationSizeMb: MAX_YOUNG_HEAP_MB },
  });
}
