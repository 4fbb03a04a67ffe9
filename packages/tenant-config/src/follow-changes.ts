import { MAX_CHANGES_PER_POLL, type TenantChange } from '@posthorn/db';
import type { Clock, Logger } from '@posthorn/runtime';
import type { ConfigSource } from './config-source.ts';
import { createPoller } from './poller.ts';

export interface FollowChangesOptions {
  readonly source: ConfigSource;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly pollIntervalMs: number;
  /** Makes these changes visible; what it throws leaves them to the next poll. */
  apply(changes: readonly TenantChange[]): Promise<void>;
  /** Nothing that is cached can be trusted any more. */
  forget(): void;
  /** Postgres is away: what was last compared before this time has come of age. */
  expire(olderThanMs: number): void;
  readonly maxAgeMs: number;
}

/**
 * Follows the sequence of configuration changes.
 *
 * Modes: `unsynced` (no poll has succeeded yet, `applied` is -1) → `current` ⇄ `away` (the last poll failed). Only a
 * poll moves between them; at most one is under way.
 */
export interface ChangeFollower {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** A poll that starts after this call, so it sees what was committed before; false when Postgres is away. */
  poll(): Promise<boolean>;
  whenApplied(change: number, timeoutMs: number): Promise<boolean>;
  readonly applied: number;
  readonly away: boolean;
  /** By the monotonic clock, when the last poll that succeeded was sent: all is known up to then. */
  readonly currentAtMs: number;
}

export function createChangeFollower(options: FollowChangesOptions): ChangeFollower {
  const { source, clock, log } = options;
  const waiters = new Set<() => void>();
  let applied = -1;
  let appliedEverywhere = -1;
  let currentAtMs = Number.NEGATIVE_INFINITY;
  let away = false;

  async function catchUp(): Promise<void> {
    if (applied === -1) {
      const sequence = await source.sequence();
      // What was loaded before the number was read may miss a change up to it.
      options.forget();
      applied = sequence;
    }
    while ((await readPage()) >= MAX_CHANGES_PER_POLL);
    for (const wake of waiters) wake();
  }

  async function readPage(): Promise<number> {
    const sentAtMs = clock.monotonicMs();
    const { sequence, changes, appliedByOthers } = await source.poll(applied);
    if (sequence < applied) {
      log.warn({ applied, sequence }, 'configuration sequence went back, loading everything again');
      options.forget();
    }
    await options.apply(changes);
    applied = sequence;
    currentAtMs = sentAtMs;
    appliedEverywhere = appliedByOthers === null ? applied : Math.min(applied, appliedByOthers);
    return changes.length;
  }

  async function pollOnce(): Promise<boolean> {
    try {
      await catchUp();
      if (away) log.info({ applied }, 'configuration is current again');
      away = false;
    } catch (error) {
      if (!away) log.warn({ err: error }, 'configuration cannot be read, serving what is cached');
      away = true;
      const oldestMs = clock.monotonicMs() - options.maxAgeMs;
      if (currentAtMs < oldestMs) options.expire(oldestMs);
    }
    return !away;
  }

  const poller = createPoller(pollOnce, options.pollIntervalMs);
  return {
    start: () => poller.start(),
    async stop() {
      if (await poller.stop()) await source.leave().catch(() => undefined);
    },
    poll: () => poller.poll(),
    async whenApplied(change, timeoutMs) {
      void poller.poll();
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const wake = () => {
        if (appliedEverywhere >= change) resolve(true);
      };
      const late = setTimeout(() => resolve(false), timeoutMs);
      waiters.add(wake);
      wake();
      try {
        return await promise;
      } finally {
        clearTimeout(late);
        waiters.delete(wake);
      }
    },
    get applied() {
      return applied;
    },
    get away() {
      return away;
    },
    get currentAtMs() {
      return currentAtMs;
    },
  };
}
