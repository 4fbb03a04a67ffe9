import type { KafkaLog } from './client.ts';
import { EarliestTimer } from './earliest-timer.ts';
import type { InternalBroker, InternalGroup } from './kafkajs-internals.ts';
import type { Committed, PartitionIntake } from './partition-intake.ts';

/**
 * Modes: suspended (before the first join, and from the last commit before a join to its end) ↔ committing.
 * One commit at a time says all there is to say; the next goes when it was acknowledged, not before the minimum has
 * passed and not after the maximum. Each names the member and generation under which its partitions were assigned, so
 * that the broker refuses it from a member that has been replaced.
 */

export interface CommitOptions {
  minIntervalMs: number;
  maxIntervalMs: number;
  nowMs: () => number;
  log: KafkaLog;
  /** The broker knows a newer generation: look now, not at the next heartbeat. */
  onStale: () => void;
}

export interface CommitSession {
  readonly group: InternalGroup;
  readonly groupId: string;
  readonly memberId: string;
  readonly generationId: number;
}

type Verdict = 'acknowledged' | 'stale' | 'failed';

const STALE = ['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'FENCED_INSTANCE_ID'];
const MOVED = ['NOT_COORDINATOR_FOR_GROUP', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'GROUP_LOAD_IN_PROGRESS'];
const RETRY_MS = { min: 100, max: 1_000 };

export class CommitLoop {
  readonly #options: CommitOptions;
  readonly #dirty = new Set<PartitionIntake>();
  readonly #timer: EarliestTimer;
  #session: CommitSession | null = null;
  #underWay: Promise<Verdict> | null = null;
  #lastStartMs = Number.NEGATIVE_INFINITY;
  #roundTripMs = 0;
  #failures = 0;
  #retryAtMs = 0;
  #failingSinceMs: number | null = null;
  #commits = 0;
  #commitFailures = 0;

  constructor(options: CommitOptions) {
    this.#options = options;
    this.#timer = new EarliestTimer(options.nowMs, () => void this.#commit());
  }

  get commits(): number {
    return this.#commits;
  }

  get commitFailures(): number {
    return this.#commitFailures;
  }

  /** Since when nothing has been acknowledged though there is something to say; null while all is well. */
  get failingSinceMs(): number | null {
    return this.#failingSinceMs;
  }

  touch(intake: PartitionIntake): void {
    this.#dirty.add(intake);
    if (this.#session === null || this.#underWay !== null) return;
    this.#timer.at(this.#nextStartMs());
  }

  forget(intake: PartitionIntake): void {
    this.#dirty.delete(intake);
  }

  resume(session: CommitSession): void {
    this.#session = session;
    this.#failures = 0;
    this.#retryAtMs = 0;
    if (this.#dirty.size > 0) this.#timer.at(this.#nextStartMs());
  }

  suspend(): void {
    this.#session = null;
    this.#failingSinceMs = null;
    this.#timer.cancel();
  }

  /** Says all there is to say now; one more try if the first fails. */
  async flush(): Promise<Verdict> {
    this.#timer.cancel();
    await this.#underWay;
    const first = await this.#commit();
    if (first !== 'failed') return first;
    this.#timer.cancel();
    return this.#commit();
  }

  /** So early that the acknowledgement is back within the maximum, but never sooner than the minimum. */
  #nextStartMs(): number {
    const { minIntervalMs, maxIntervalMs, nowMs } = this.#options;
    const pause = Math.max(minIntervalMs, maxIntervalMs - this.#roundTripMs);
    return Math.max(this.#lastStartMs + pause, nowMs() + minIntervalMs, this.#retryAtMs);
  }

  #commit(): Promise<Verdict> {
    this.#underWay ??= this.#commitOnce().finally(() => {
      this.#underWay = null;
    });
    return this.#underWay;
  }

  async #commitOnce(): Promise<Verdict> {
    const session = this.#session;
    if (session === null) return 'stale';
    const prepared = this.#prepare();
    if (prepared.size === 0) return 'acknowledged';
    const { nowMs, log } = this.#options;
    this.#lastStartMs = nowMs();
    try {
      await sendCommit(session, prepared);
      this.#roundTripMs = nowMs() - this.#lastStartMs;
      for (const [intake, committed] of prepared) intake.acknowledge(committed);
      this.#commits++;
      this.#failures = 0;
      this.#retryAtMs = 0;
      this.#failingSinceMs = null;
      if (this.#dirty.size > 0 && this.#session !== null) this.#timer.at(this.#nextStartMs());
      return 'acknowledged';
    } catch (error) {
      this.#commitFailures++;
      for (const intake of prepared.keys()) if (intake.live) this.#dirty.add(intake);
      const type = (error as { type?: string }).type ?? '';
      // The first of a row says it all; the watchdog tells when it goes on for too long.
      const say = this.#failures === 0 ? log.warn.bind(log) : log.debug.bind(log);
      say({ err: error, groupId: session.groupId, generation: session.generationId }, 'a commit failed');
      return STALE.includes(type) ? this.#giveUp(session) : await this.#tryLater(session, type);
    }
  }

  #prepare(): Map<PartitionIntake, Committed> {
    const prepared = new Map<PartitionIntake, Committed>();
    for (const intake of this.#dirty) {
      const commit = intake.live ? intake.prepareCommit() : null;
      if (commit === null) continue;
      prepared.set(intake, commit.committed);
      if (commit.truncated) {
        const { topic, partition } = intake;
        this.#options.log.warn({ topic, partition }, 'the map of finished records is full: intake is paused');
      }
    }
    this.#dirty.clear();
    return prepared;
  }

  #giveUp(session: CommitSession): Verdict {
    if (this.#session === session) {
      this.suspend();
      this.#options.onStale();
    } else {
      // A join has given us a new session meanwhile, under which there is still all of this to say.
      this.#timer.at(this.#nextStartMs());
    }
    return 'stale';
  }

  async #tryLater(session: CommitSession, type: string): Promise<Verdict> {
    const startedMs = this.#options.nowMs();
    this.#failingSinceMs ??= startedMs;
    const delayMs = Math.min(RETRY_MS.max, RETRY_MS.min * 2 ** this.#failures++);
    if (MOVED.includes(type)) await findCoordinator(session.group, delayMs);
    this.#retryAtMs = startedMs + delayMs;
    this.#timer.at(this.#retryAtMs);
    return 'failed';
  }
}

async function sendCommit(
  { group, groupId, memberId, generationId }: CommitSession,
  prepared: ReadonlyMap<PartitionIntake, Committed>,
): Promise<void> {
  const byTopic = Map.groupBy(prepared, ([intake]) => intake.topic);
  await group.coordinator.offsetCommit({
    groupId,
    memberId,
    groupGenerationId: generationId,
    topics: [...byTopic].map(([topic, commits]) => ({
      topic,
      partitions: commits.map(([{ partition }, { offset, metadata }]) => ({
        partition,
        offset: String(offset),
        metadata,
      })),
    })),
  });
}

/** Does not wait longer than that: finding a coordinator goes on for as long as the cluster is away. */
async function findCoordinator(group: InternalGroup, timeoutMs: number): Promise<void> {
  const found = group.cluster.findGroupCoordinator({ groupId: group.groupId }).then(
    (coordinator: InternalBroker) => {
      group.coordinator = coordinator;
    },
    () => {},
  );
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    found,
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    }),
  ]);
  clearTimeout(timer);
}
