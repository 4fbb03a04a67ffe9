import type { Clock } from '@posthorn/runtime';
import { createIdleWait } from '../await-idle.ts';
import type { Slot, Work } from './lane.ts';
import type { Scheduler } from './scheduler.ts';

export interface StarterOptions<W extends Work> {
  readonly scheduler: Scheduler<W>;
  readonly clock: Clock;
  /** Inside the fence, and outside a rebalance: while false nothing starts. */
  mayBegin(): boolean;
  /** Tries a slot to its end; never rejects. `put_back` when it must not be tried now. */
  attempt(slot: Slot<W>): Promise<'settled' | 'put_back'>;
}

/**
 * Starts what the scheduler gives whenever something may have changed: a record came, a slot settled, a pause ended.
 *
 * Modes: stopped → running (`start`) → stopped (`stop`; what is in flight goes on).
 */
export interface AttemptStarter {
  start(): void;
  stop(): void;
  /** Looks once in this turn of the event loop, however often it is called. */
  wake(): void;
  /** Whether all that was started had settled within the time given. */
  whenIdle(timeoutMs: number): Promise<boolean>;
}

/** Starts in one turn of the event loop; then sockets and timers get theirs. */
const MAX_STARTS_PER_TURN = 64;
/** The fence opens and quotas change without a signal. */
const LOOK_INTERVAL_MS = 100;
const RECHECK_CAPS_EVERY_LOOKS = 10;

export function createAttemptStarter<W extends Work>(options: StarterOptions<W>): AttemptStarter {
  const { scheduler, clock, mayBegin } = options;
  const idle = createIdleWait(() => scheduler.unsettled);
  let looking = false;
  let looks = 0;
  let timer: NodeJS.Timeout | undefined;
  let early: NodeJS.Timeout | undefined;

  async function run(slot: Slot<W>): Promise<void> {
    const end = await options.attempt(slot);
    if (end === 'settled') scheduler.settle(slot);
    else scheduler.putBack(slot);
    idle.look();
    wake();
  }

  function look(): void {
    looking = false;
    if (timer === undefined || !mayBegin()) return;
    const nowMs = clock.monotonicMs();
    for (let started = 0; started < MAX_STARTS_PER_TURN; started++) {
      const slot = scheduler.next(nowMs);
      if (slot === null) {
        lookEarly(nowMs);
        return;
      }
      void run(slot);
    }
    wake();
  }

  /** A rate gives more, or a held slot is free, before the next regular look. */
  function lookEarly(nowMs: number): void {
    const wakeMs = scheduler.nextWakeMs;
    clearTimeout(early);
    if (wakeMs === null || wakeMs - nowMs >= LOOK_INTERVAL_MS) return;
    early = setTimeout(wake, Math.max(1, Math.ceil(wakeMs - nowMs)));
  }

  function wake(): void {
    if (looking) return;
    looking = true;
    setImmediate(look);
  }

  function lookRegularly(): void {
    looks += 1;
    if (looks % RECHECK_CAPS_EVERY_LOOKS === 0) scheduler.recheckCaps(clock.monotonicMs());
    wake();
  }

  return {
    start() {
      timer ??= setInterval(lookRegularly, LOOK_INTERVAL_MS);
      wake();
    },
    stop() {
      clearInterval(timer);
      clearTimeout(early);
      timer = undefined;
    },
    wake,
    whenIdle: idle.whenIdle,
  };
}
