import type { Consumer as KafkaJsConsumer } from 'kafkajs';
import { type KafkaClient, openConsumer } from './client.ts';
import { CommitLoop } from './commit.ts';
import type { Consumer, ConsumerOptions, ConsumerStats } from './consumer.ts';
import { isWithinFence } from './fence.ts';
import { takeOverFetching } from './fetch-loop.ts';
import { FetchPace, PACE_DEFAULTS } from './fetch-pace.ts';
import { groupRefusal } from './group-refusal.ts';
import type { InternalGroup, JoinHooks } from './kafkajs-internals.ts';
import { clusterAnswers } from './probe-cluster.ts';
import { Rejoin } from './rejoin.ts';
import { stickyAssigner } from './sticky-assigner.ts';
import { Watchdog } from './watchdog.ts';
import { MAX_MAP_CHARS } from './window-encoding.ts';
import { within } from './within.ts';

const DEFAULTS = {
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 10_000,
  heartbeatIntervalMs: 2_000,
  drainTimeoutMs: 1_000,
  commitIntervalMs: { min: 40, max: 50 },
  maxBytesPerPartition: 1024 * 1024,
};
const MAX_FETCH_BYTES = 10 * 1024 * 1024;
const DISCONNECT_TIMEOUT_MS = 3_000;
const WATCH_INTERVAL_MS = 5_000;
const MAX_COMMITS_FAILING_MS = 60_000;
const NO_COORDINATOR = 'Failed to find group coordinator';

/** A stopped consumer does not start again. */
export function createConsumer(client: KafkaClient, options: ConsumerOptions): Consumer {
  return new GroupConsumer(client, options, () => performance.now());
}

/**
 * Modes: new → started → stopping (until the group is left) → left (what was handed over under way is drained) → stopped;
 * started → dead (a handler threw, or kafkajs gave up: only a new process helps).
 */
class GroupConsumer implements Consumer {
  readonly #client: KafkaClient;
  readonly #options: ConsumerOptions;
  readonly #nowMs: () => number;
  readonly #sessionTimeoutMs: number;
  readonly #rejoin: Rejoin;
  readonly #commits: CommitLoop;
  readonly #pace: FetchPace;
  readonly #watchdog: Watchdog;
  readonly #crashed = Promise.withResolvers<never>();
  readonly #stopping = Promise.withResolvers<void>();
  #consumer: KafkaJsConsumer | null = null;
  #startedMs = 0;
  #stopped: Promise<void> | null = null;
  #dead = false;

  constructor(client: KafkaClient, options: ConsumerOptions, nowMs: () => number) {
    this.#client = client;
    this.#options = options;
    this.#nowMs = nowMs;
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? DEFAULTS.sessionTimeoutMs;
    this.#pace = new FetchPace(paceOptions(options), nowMs());
    this.#commits = this.#createCommits();
    this.#rejoin = this.#createRejoin();
    this.#watchdog = this.#createWatchdog();
    this.#crashed.promise.catch(() => {});
  }

  get assignment(): ReadonlyArray<{ topic: string; partition: number }> {
    return [...this.#rejoin.intakes].map(({ topic, partition }) => ({ topic, partition }));
  }

  async start(): Promise<void> {
    if (this.#consumer !== null || this.#stopped !== null) return;
    const consumer = this.#open();
    this.#consumer = consumer;
    this.#startedMs = this.#nowMs();
    consumer.on('consumer.crash', ({ payload: { error, restart } }) => {
      if (!restart) void this.#crash(error);
    });
    const joined = this.#join(consumer).catch(async (error: Error) => {
      throw await this.#nameRefusal(error);
    });
    joined.catch(() => {});
    // What kafkajs tries for as long as the cluster is away must not outlast a stop.
    await Promise.race([joined, this.#crashed.promise, this.#stopping.promise]);
    if (this.#stopped === null) this.#watchdog.start();
  }

  stop({ drain }: { drain?: () => Promise<void> } = {}): Promise<void> {
    this.#stopped ??= this.#stopOnce(drain ?? (async () => {}));
    return this.#stopped;
  }

  pause(topic: string, partition: number): void {
    this.#rejoin.find(topic, partition)?.pause('handler');
  }

  resume(topic: string, partition: number): void {
    this.#rejoin.find(topic, partition)?.resume('handler');
  }

  park(topic: string, partition: number, parked: boolean): void {
    const intake = this.#rejoin.find(topic, partition);
    if (parked) intake?.pause('parked');
    else intake?.resume('parked');
  }

  reread(topic: string, partition: number, offset: number): number | null {
    return this.#rejoin.reread(topic, partition, offset);
  }

  mayAct(): boolean {
    const { group, left } = this.#rejoin;
    if (group === null || group.memberId === null || left) return false;
    return isWithinFence(group.lastHeartbeatSentAt, this.#nowMs(), this.#sessionTimeoutMs);
  }

  mayBegin(): boolean {
    return !this.#rejoin.rejoining && this.#stopped === null && !this.#dead && this.mayAct();
  }

  stats(): ConsumerStats {
    const sentMs = this.#rejoin.group?.lastHeartbeatSentAt ?? null;
    return {
      generation: this.#rejoin.joins === 0 ? null : this.#rejoin.generation,
      rebalances: this.#rejoin.joins,
      commits: this.#commits.commits,
      commitFailures: this.#commits.commitFailures,
      lastHeartbeatAgeMs: sentMs === null ? null : this.#nowMs() - sentMs,
      partitions: [...this.#rejoin.intakes].map((intake) => intake.stats()),
    };
  }

  async #join(consumer: KafkaJsConsumer): Promise<void> {
    await consumer.connect();
    await consumer.subscribe({ topics: this.#options.topics, fromBeginning: true });
    if (this.#stopped !== null) return;
    const hooks: JoinHooks = {
      beforeJoin: (group) => this.#rejoin.beforeJoin(group),
      afterJoin: (group) => this.#rejoin.afterJoin(group),
    };
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async () => {},
      ...hooks,
    });
    await this.#rejoin.joined;
  }

  async #stopOnce(drain: () => Promise<void>): Promise<void> {
    this.#watchdog.stop();
    this.#stopping.resolve();
    if (this.#consumer === null) return;
    const drained = drain().catch((error: unknown) => {
      this.#client.log.error({ err: error }, 'draining before the stop failed');
    });
    await this.#rejoin.stopping(drained);
    if (this.#rejoin.group !== null) {
      const settled = Promise.race([this.#rejoin.joined, this.#crashed.promise.catch(() => {})]);
      await within(this.#options.rebalanceTimeoutMs ?? DEFAULTS.rebalanceTimeoutMs, settled);
    }
    await this.#rejoin.leave();
    await Promise.all([drained, within(DISCONNECT_TIMEOUT_MS, this.#consumer.disconnect())]);
  }

  async #crash(error: Error): Promise<void> {
    if (this.#stopped !== null) return;
    const named = await this.#nameRefusal(error);
    this.#crashed.reject(named);
    if (this.#rejoin.joins > 0 && this.#stopped === null) this.#die(named);
  }

  async #nameRefusal(error: Error): Promise<Error> {
    if (!error.message.includes(NO_COORDINATOR)) return error;
    return (await groupRefusal(this.#client, this.#options.groupId)) ?? error;
  }

  #die(error: Error): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#rejoin.pauseForGood();
    this.#options.onFatal(error);
  }

  #open(): KafkaJsConsumer {
    const describeSelf = () => ({ generation: this.#rejoin.generation, owned: this.#rejoin.owned() });
    return openConsumer(this.#client, {
      groupId: this.#options.groupId,
      partitionAssigners: [stickyAssigner(describeSelf)],
      sessionTimeout: this.#sessionTimeoutMs,
      rebalanceTimeout: this.#options.rebalanceTimeoutMs ?? DEFAULTS.rebalanceTimeoutMs,
      heartbeatInterval: this.#options.heartbeatIntervalMs ?? DEFAULTS.heartbeatIntervalMs,
      maxBytesPerPartition: this.#options.fetch?.maxBytesPerPartition ?? DEFAULTS.maxBytesPerPartition,
      maxBytes: MAX_FETCH_BYTES,
      minBytes: 1,
      maxWaitTimeInMs: PACE_DEFAULTS.idleWaitMs,
    });
  }

  #createCommits(): CommitLoop {
    const { min, max } = this.#options.commitIntervalMs ?? DEFAULTS.commitIntervalMs;
    return new CommitLoop({
      minIntervalMs: min,
      maxIntervalMs: max,
      nowMs: this.#nowMs,
      log: this.#client.log,
      onStale: () => {
        const group = this.#rejoin.group;
        if (group !== null) group.lastRequest = Number.NEGATIVE_INFINITY;
      },
    });
  }

  #createRejoin(): Rejoin {
    const options = this.#options;
    return new Rejoin({
      drainTimeoutMs: options.drainTimeoutMs ?? DEFAULTS.drainTimeoutMs,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? DEFAULTS.rebalanceTimeoutMs,
      assigned: (topic, partition, at) => options.assigned(topic, partition, at),
      beforeRejoin: async () => options.beforeRejoin?.(),
      rejoined: () => options.rejoined?.(),
      adopt: (group) => this.#takeOverFetching(group),
      commits: this.#commits,
      log: this.#client.log,
      intake: {
        maxMapChars: options.maxEncodedMapChars ?? MAX_MAP_CHARS,
        slotCount: (record) => options.slotCount?.(record) ?? 1,
        onDirty: (intake) => this.#commits.touch(intake),
        onPauseChange: (intake) => this.#rejoin.applyPause(intake),
        onGone: ({ topic, partition }, records) =>
          this.#client.log.error(
            { topic, partition, records },
            'passed-over records were deleted by retention',
          ),
        nowMs: this.#nowMs,
      },
    });
  }

  #createWatchdog(): Watchdog {
    return new Watchdog({
      intervalMs: WATCH_INTERVAL_MS,
      maxHeartbeatAgeMs: 2 * this.#sessionTimeoutMs,
      maxCommitsFailingMs: MAX_COMMITS_FAILING_MS,
      graceMs: 2 * this.#sessionTimeoutMs,
      nowMs: this.#nowMs,
      vitals: () => {
        const nowMs = this.#nowMs();
        const { failingSinceMs } = this.#commits;
        return {
          heartbeatAgeMs: nowMs - (this.#rejoin.group?.lastHeartbeatSentAt ?? this.#startedMs),
          commitsFailingMs: failingSinceMs === null ? 0 : nowMs - failingSinceMs,
        };
      },
      clusterAnswers: () => clusterAnswers(this.#client, this.#options.topics),
      onDead: (error) => this.#die(error),
    });
  }

  #takeOverFetching(group: InternalGroup): void {
    takeOverFetching(group, {
      rejoin: this.#rejoin,
      pace: this.#pace,
      nowMs: this.#nowMs,
      log: this.#client.log,
      mayAct: () => this.mayAct(),
      mayTake: () => this.#stopped === null && !this.#dead,
      onBug: (error) => this.#die(error),
    });
  }
}

function paceOptions({ fetch }: ConsumerOptions) {
  const { busy, idleWaitMs } = PACE_DEFAULTS;
  return {
    ...PACE_DEFAULTS,
    idleWaitMs: fetch?.idleWaitMs ?? idleWaitMs,
    busy: { minBytes: fetch?.minBytes ?? busy.minBytes, maxWaitMs: fetch?.maxWaitMs ?? busy.maxWaitMs },
  };
}
