import { ProduceError } from '@posthorn/kafka';
import type { AcceptedEvent } from '../src/accept/accept-event.ts';
import { produceProblem } from '../src/accept/accept-event.ts';
import { type AdmitOnce, createAdmitOnce } from '../src/accept/once/admit-once.ts';
import type { Claims } from '../src/accept/once/claims.ts';
import type { OnceRequest } from '../src/accept/once/hold-claim.ts';
import { isProblem, type Problem, problem } from '../src/http/problem.ts';
import { createFakeClaims } from './fake-claims.ts';

/**
 * Processes of ingest that share one table of claims, one partition of Kafka and one record, on one clock. Whatever a
 * process asks of the others happens in two steps, that it is done and that it is told, which `step` takes in any
 * order: so processes overtake each other, stall, and are killed between any two of them. What a killed process had
 * asked for may still be done.
 */
export interface OnceWorld {
  /** A request on a process of its own, under one id of the sender's and one of two keys. */
  post(pick: number): void;
  step(step: Step): Promise<void>;
  /** All steps there are, nothing failing any more. */
  drain(): Promise<void>;
  readonly answers: readonly (AcceptedEvent | Problem)[];
  /** Event ids in the order in which Kafka has them. */
  readonly log: readonly string[];
}

export interface Step {
  /** `do`: something that is under way, in its order or out of it; `hold_up`: it takes longer. */
  readonly kind: 'post' | 'do_next' | 'do_any' | 'hold_up' | 'record' | 'pass_time' | 'kill';
  /** Which of them; how long. */
  readonly pick: number;
  /** How it goes. */
  readonly fate: number;
}

const TIMES = { produceTimeoutMs: 1_000, marginMs: 400, waitMs: 600 };
const PARTITION = 0;
const SETTLE_MS = TIMES.marginMs / 2;
const LONGEST_PASS_MS = 1_000;

interface Pending {
  readonly process: Process;
  /** Not before. */
  dueMs: number;
  /** Not after: until then what is in a socket is appended or lost. */
  readonly untilMs: number;
  run(fate: number): unknown;
}

interface Process {
  alive: boolean;
}

const away = () => Object.assign(new Error('away'), { code: 'ECONNREFUSED' });

export function createOnceWorld(): OnceWorld {
  let nowMs = 0;
  let faulty = true;
  let pending: Pending[] = [];
  const log: string[] = [];
  const answers: (AcceptedEvent | Problem)[] = [];
  const processes: Process[] = [];
  const table = createFakeClaims(() => nowMs);

  function later(process: Process, run: Pending['run'], dueMs = nowMs, untilMs = Number.POSITIVE_INFINITY) {
    pending.push({ process, dueMs, untilMs, run });
  }

  /** A process that was killed is told nothing any more. */
  function tell(process: Process, act: () => void, dueMs = nowMs): void {
    later(process, () => process.alive && act(), dueMs);
  }

  /** Done at one step, or not done at all; told at another. */
  function ask<T>(process: Process, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      later(process, (fate) => {
        const isDone = !faulty || fate % 40 !== 0;
        const isTold = !faulty || fate % 40 > 1;
        const done = isDone ? work() : Promise.reject(away());
        done.catch(() => undefined);
        tell(process, () => void (isTold ? done.then(resolve, reject) : reject(away())));
      });
    });
  }

  function claimsOf(process: Process): Claims {
    const asked = Object.entries(table).filter(([, value]) => typeof value === 'function');
    return Object.fromEntries(
      asked.map(([name, question]) => [
        name,
        (...given: unknown[]) =>
          ask(process, () => (question as (...all: unknown[]) => Promise<unknown>)(...given)),
      ]),
    ) as unknown as Claims;
  }

  /** Kafka: appended or not, and told or not, each on its own; what is late is appended before its socket is dead. */
  function send(process: Process, eventId: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const deadlineMs = nowMs + TIMES.produceTimeoutMs;
      const fail = (code: ProduceError['code']) => reject(new ProduceError(code, 'away'));
      const append = (fate: number) => {
        const way = faulty ? fate % 6 : 5;
        if (way === 0) return tell(process, () => fail('not_accepted'));
        if (way > 1) log.push(eventId);
        if (way > 3 && nowMs <= deadlineMs) tell(process, resolve);
      };
      later(process, append, nowMs, deadlineMs + SETTLE_MS);
      tell(process, () => fail('outcome_unknown'), deadlineMs);
    });
  }

  function requestOf(process: Process, idempotencyKey: string, isRefused: boolean): OnceRequest {
    return {
      tenantId: 'acme',
      names: { idempotencyKey, clientEventId: 'order 42' },
      bodyHash: Buffer.from('same'),
      partition: PARTITION,
      async make(eventId, sendByMs) {
        if (isRefused) return problem('event_quota_exceeded', 'too many');
        if (nowMs > sendByMs) return produceProblem('not_accepted');
        try {
          await send(process, eventId);
          return { event_id: eventId } as AcceptedEvent;
        } catch (error) {
          if (error instanceof ProduceError) return produceProblem(error.code);
          throw error;
        }
      },
      recall: (eventId) => ({ event_id: eventId }) as AcceptedEvent,
    };
  }

  function startProcess(): { process: Process; once: AdmitOnce } {
    const process = { alive: true };
    processes.push(process);
    const once = createAdmitOnce({
      ...TIMES,
      claims: claimsOf(process),
      endOffset: (): Promise<number | null> => ask(process, async () => log.length).catch(() => null),
      clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
      wait: (ms) => new Promise((resolve) => tell(process, resolve, nowMs + ms)),
      log: { warn: () => undefined },
      count: () => undefined,
      isDatabaseUp: () => true,
      reportDatabaseDown: () => undefined,
    });
    return { process, once };
  }

  function post(pick: number): void {
    const { process, once } = startProcess();
    const isRefused = faulty && pick % 10 > 7;
    void once.admit(requestOf(process, `key ${pick % 2}`, isRefused)).then((answer) => {
      if (!isProblem(answer) && !log.includes(answer.event_id)) throw new Error('accepted, and not in Kafka');
      answers.push(answer);
    });
  }

  function record(): void {
    const offset = table.recordedOffsets.get(PARTITION) ?? 0;
    if (offset >= log.length) return;
    table.recorded.set(log[offset]!, 1);
    table.recordedOffsets.set(PARTITION, offset + 1);
  }

  /** Time passes over nothing that must have happened before. */
  function advanceTo(timeMs: number, fate: number): void {
    for (const each of pending.filter(({ untilMs }) => untilMs < timeMs)) take(each, fate);
    nowMs = Math.max(nowMs, timeMs);
  }

  function take(each: Pending, fate: number): void {
    pending = pending.filter((other) => other !== each);
    if (each.dueMs > nowMs) advanceTo(each.dueMs, fate);
    each.run(fate);
  }

  const next = (): Pending => pending.reduce((first, each) => (each.dueMs < first.dueMs ? each : first));

  function kill(pick: number): void {
    const process = processes[pick % processes.length];
    if (process) process.alive = false;
  }

  function holdUp(pick: number, fate: number): void {
    const held = pending[pick % pending.length];
    if (held) held.dueMs = Math.min(held.untilMs, Math.max(held.dueMs, nowMs) + 2 * fate);
  }

  return {
    answers,
    log,
    post,
    async step({ kind, pick, fate }) {
      if (kind === 'post') post(pick);
      else if (kind === 'record') record();
      else if (kind === 'pass_time') advanceTo(nowMs + (pick % LONGEST_PASS_MS), fate);
      else if (kind === 'kill') kill(pick);
      else if (kind === 'hold_up') holdUp(pick, fate);
      else if (pending.length > 0) take(kind === 'do_next' ? next() : pending[pick % pending.length]!, fate);
      await turn();
    },
    async drain() {
      faulty = false;
      for (;;) {
        await turn();
        record();
        if (pending.length === 0) return;
        take(next(), 0);
      }
    },
  };
}

/** Lets all that was told be acted upon. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
