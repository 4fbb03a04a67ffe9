import kafkajs from 'kafkajs';
import type { KafkaLog } from './client.ts';
import type { CommitLoop } from './commit.ts';
import type { AssignedAt, PartitionHandler } from './consumer.ts';
import type { InternalGroup } from './kafkajs-internals.ts';
import {
  fetchCommitted,
  findStartingPoints,
  heldEndOf,
  keyOf,
  type Place,
  type StartingPoint,
  wasFinished,
} from './load-committed.ts';
import { type IntakeOptions, type Loss, PartitionIntake } from './partition-intake.ts';
import { within } from './within.ts';

/**
 * Modes: out (before the first join) → rejoining (from the hook before JoinGroup to the end of the one after
 * SyncGroup) ↔ joined → stopping (stop was called: the next hook finishes, commits and leaves instead of joining)
 * → left (for good). kafkajs moves it by the two hooks, Consumer.stop by stopping() and leave().
 *
 * All members pass through beforeJoin before a rebalance completes, so a new owner finds in the commits all that the
 * old ones finished until then.
 */

export interface RejoinOptions {
  drainTimeoutMs: number;
  rebalanceTimeoutMs: number;
  assigned(topic: string, partition: number, at: AssignedAt): PartitionHandler;
  beforeRejoin(): Promise<void>;
  rejoined(): void;
  /** Takes over the group's fetching; called for the first join and after kafkajs restarted the consumer. */
  adopt(group: InternalGroup): void;
  intake: IntakeOptions;
  commits: CommitLoop;
  log: KafkaLog;
}

const COMMIT_TIMEOUT_MS = 2_000;
/** Of the rebalance time-out, for the commit and the leave of a member that stops during a rebalance. */
const STOP_MARGIN_MS = 2_000;

export class Rejoin {
  readonly #options: RejoinOptions;
  readonly #intakes = new Map<string, PartitionIntake>();
  #group: InternalGroup | null = null;
  #memberId: string | null = null;
  #generation = -1;
  #rejoining = true;
  #drained = false;
  #joins = 0;
  #stopDrain: Promise<unknown> | null = null;
  #leaving: Promise<void> | null = null;
  #left = false;
  #pausedForGood = false;
  #joined = Promise.withResolvers<void>();

  constructor(options: RejoinOptions) {
    this.#options = options;
  }

  get group(): InternalGroup | null {
    return this.#group;
  }

  get rejoining(): boolean {
    return this.#rejoining;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Nothing may be done any more in the name of the group. */
  get left(): boolean {
    return this.#left;
  }

  get joins(): number {
    return this.#joins;
  }

  get intakes(): Iterable<PartitionIntake> {
    return this.#intakes.values();
  }

  /** Resolves at the end of the join that is under way, or at once. */
  get joined(): Promise<void> {
    return this.#joined.promise;
  }

  find(topic: string, partition: number): PartitionIntake | undefined {
    return this.#intakes.get(keyOf({ topic, partition }));
  }

  /** For the leader's sticky assignment. */
  owned(): Record<string, number[]> {
    const owned: Record<string, number[]> = {};
    for (const { topic, partition } of this.#intakes.values()) {
      owned[topic] ??= [];
      owned[topic].push(partition);
    }
    return owned;
  }

  async beforeJoin(group: InternalGroup): Promise<void> {
    if (!this.#rejoining) this.#joined = Promise.withResolvers();
    this.#rejoining = true;
    if (group !== this.#group) this.#adopt(group);
    if (this.#stopDrain !== null) return this.#leaveInstead(group, this.#stopDrain);
    // The coordinator forgot this member: others have its partitions by now.
    if (group.memberId === null) this.loseAll('dropped');
    if (this.#intakes.size > 0 && !this.#drained) {
      await within(this.#options.drainTimeoutMs, this.#options.beforeRejoin());
      await this.#commitLast();
    }
    this.#options.commits.suspend();
    this.#drained = true;
  }

  async afterJoin(group: InternalGroup): Promise<void> {
    if (group.memberId !== this.#memberId) this.loseAll('dropped');
    const places = group
      .assigned()
      .flatMap(({ topic, partitions }) => partitions.map((partition): Place => ({ topic, partition })));
    const committed = await fetchCommitted(group, places);
    this.#loseOthers(places, committed);
    const fresh = places.filter((place) => !this.#intakes.has(keyOf(place)));
    const points = await findStartingPoints(group, fresh, committed, this.#options.log);
    for (const [place, from] of points) this.#open(place, from);
    this.#placeAll(group);
    this.#settle(group);
  }

  /**
   * From now on a rebalance leaves instead of joining, when the drain is over or has had its time: what can be handed
   * over under way need not be waited for. Resolves then.
   */
  async stopping(drain: Promise<void>): Promise<void> {
    const { drainTimeoutMs, rebalanceTimeoutMs } = this.#options;
    const patienceMs = this.#handsOverSlots ? drainTimeoutMs : rebalanceTimeoutMs - STOP_MARGIN_MS;
    this.#stopDrain = within(patienceMs, drain);
    this.pauseForGood();
    await this.#stopDrain;
  }

  pauseForGood(): void {
    this.#pausedForGood = true;
    for (const intake of this.#intakes.values()) this.applyPause(intake);
  }

  /** Says in a last commit what is finished and what is under way, and gives all up. */
  async leave(): Promise<void> {
    const group = this.#group;
    if (group !== null && group.memberId !== null && !this.#rejoining) await this.#leaveGroup(group);
    await this.#leaving;
    this.#left = true;
    this.#options.commits.suspend();
    // Of a join that goes on without us the last commit was said before, and whoever comes next has it.
    this.loseAll(group === null || group.memberId === null ? 'dropped' : 'handed_over');
  }

  loseAll(loss: Loss): void {
    for (const intake of [...this.#intakes.values()]) this.#lose(intake, loss);
  }

  /** Starts a partition over at an offset that neither we nor its log can connect with what we knew. */
  startOver(group: InternalGroup, intake: PartitionIntake, log: Pick<AssignedAt, 'start' | 'end'>): void {
    this.#lose(intake, 'dropped');
    const fresh = this.#open(intake, { ...log, map: null, committed: { offset: -1, metadata: '' } });
    this.place(group, fresh);
    this.applyPause(fresh);
  }

  reread(topic: string, partition: number, offset: number): number | null {
    const intake = this.find(topic, partition);
    if (intake === undefined) return null;
    const found = intake.reread(offset);
    // A rejoin under way places everything at its end.
    if (this.#group !== null && !this.#rejoining) this.place(this.#group, intake);
    return found;
  }

  /** Where kafkajs fetches next. */
  place(group: InternalGroup, { topic, partition, cursor }: PartitionIntake): void {
    const { offsetManager } = group;
    const at = String(cursor);
    // Both, or kafkajs asks the coordinator again and takes what it finds there.
    offsetManager.committedOffsets()[topic]![partition] = at;
    offsetManager.resolvedOffsets[topic]![partition] = at;
  }

  applyPause(intake: PartitionIntake): void {
    const change = [{ topic: intake.topic, partitions: [intake.partition] }];
    const state = this.#group?.subscriptionState;
    if (intake.paused || this.#pausedForGood) state?.pause(change);
    else state?.resume(change);
  }

  get #handsOverSlots(): boolean {
    for (const { handler } of this.#intakes.values()) if (handler.underWay !== undefined) return true;
    return false;
  }

  #adopt(group: InternalGroup): void {
    this.loseAll('dropped');
    this.#group = group;
    this.#options.adopt(group);
  }

  async #commitLast(): Promise<void> {
    for (const intake of this.#intakes.values()) {
      if (intake.prepareHandOver()) this.#options.commits.touch(intake);
    }
    const verdict = this.#options.commits.flush();
    const inTime = await within(COMMIT_TIMEOUT_MS, verdict);
    if (inTime && (await verdict) === 'stale') this.loseAll('dropped');
  }

  async #leaveInstead(group: InternalGroup, drain: Promise<unknown>): Promise<never> {
    await drain;
    if (group.memberId !== null) await this.#leaveGroup(group);
    this.#joined.resolve();
    throw new kafkajs.KafkaJSNonRetriableError('the consumer is stopping');
  }

  #leaveGroup(group: InternalGroup): Promise<void> {
    this.#leaving ??= this.#leaveOnce(group);
    return this.#leaving;
  }

  async #leaveOnce(group: InternalGroup): Promise<void> {
    // In a join that is tried again it was said already, and under its generation nothing more can be.
    if (!this.#drained) await this.#commitLast();
    this.#left = true;
    // A heartbeat that overtakes the leave is refused, and kafkajs would join again.
    group.lastRequest = Number.POSITIVE_INFINITY;
    const partitions = this.#intakes.size;
    await within(COMMIT_TIMEOUT_MS, group.leave());
    this.loseAll('handed_over');
    this.#options.log.info({ groupId: group.groupId, partitions }, 'left the group');
  }

  /** A partition stays only if its committed state is what we committed: then nobody had it in between. */
  #loseOthers(
    places: readonly Place[],
    committed: ReadonlyMap<string, { offset: number; metadata: string }>,
  ): void {
    const ours = new Set(places.map(keyOf));
    for (const [key, intake] of [...this.#intakes]) {
      const found = committed.get(key);
      if (!ours.has(key)) this.#lose(intake, 'handed_over');
      else if (found === undefined || !intake.isOurs(found)) this.#lose(intake, 'dropped');
    }
  }

  #lose(intake: PartitionIntake, loss: Loss): void {
    this.#intakes.delete(keyOf(intake));
    this.#options.commits.forget(intake);
    intake.lose(loss);
  }

  #open({ topic, partition }: Place, from: StartingPoint): PartitionIntake {
    const { start, end, map } = from;
    const isFinished = (offset: number) => wasFinished(start, map, offset);
    const at = { start, end, isFinished, heldEnd: heldEndOf(map) };
    const handler = this.#options.assigned(topic, partition, at);
    const intake = new PartitionIntake({ topic, partition }, handler, from, this.#options.intake);
    this.#intakes.set(keyOf(intake), intake);
    return intake;
  }

  /** A pending seek of a lane that was lost would otherwise wait for the day it comes back. */
  #placeAll(group: InternalGroup): void {
    group.seekOffset.clear();
    for (const intake of this.#intakes.values()) {
      this.place(group, intake);
      this.applyPause(intake);
    }
  }

  #settle(group: InternalGroup): void {
    const { groupId, memberId, generationId } = group;
    if (memberId === null || generationId === null) throw new Error('joined without a member id');
    this.#memberId = memberId;
    this.#generation = generationId;
    this.#joins++;
    this.#drained = false;
    this.#rejoining = false;
    for (const intake of this.#intakes.values()) if (intake.keep()) this.#options.commits.touch(intake);
    this.#options.commits.resume({ group, groupId, memberId, generationId });
    this.#options.log.info(
      { groupId, generation: generationId, partitions: this.#intakes.size },
      'joined the group',
    );
    this.#joined.resolve();
    this.#options.rejoined();
  }
}
