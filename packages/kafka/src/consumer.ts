export interface TrackedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: string | null;
  /** A copy that outlives the fetch it came in; empty for a null value. */
  readonly value: Buffer;
  /** Of a header that comes twice the last value wins. */
  readonly headers: Record<string, string>;
  readonly slots: number;
  /** Whether an earlier owner finished this slot. */
  isDone(slot: number): boolean;
  /** Idempotent. Without a slot: all of them. A no-op once the partition was lost. */
  complete(slot?: number): void;
  /** False once the partition was lost. */
  readonly live: boolean;
  /**
   * Milliseconds from now for which an earlier owner may still be at this slot; 0 when it is not held, or finished.
   * Counted from when we took the partition over, with a margin of a second.
   */
  heldForMs(slot: number): number;
  /**
   * True while the partition has been handed over in order (live is false), with this slot marked as held and time
   * left: its request may still be settled, and the settling be announced to the new owner.
   */
  mayStillSettle(slot: number): boolean;
  /**
   * The record stays unfinished and nobody holds it any more: this object is dead, and reread() brings another one.
   * Only for a record of which no slot is under way. A no-op once the partition was lost.
   */
  passOver(): void;
}

/** A slot of a record, by the record's offset in its partition. */
export interface SlotPlace {
  readonly offset: number;
  readonly slot: number;
}

export interface SlotUnderWay extends SlotPlace {
  /** How long it may still take, settling included. */
  readonly leftMs: number;
}

export interface PartitionHandler {
  /** Synchronous. False refuses: the partition is paused and the record offered again after resume(). */
  offer(record: TrackedRecord): boolean;
  /**
   * The partition is gone: drop what is queued for it. Slots that were handed over as held and were completed after
   * the last commit are named: the new owner has to be told of them, as of those that are settled later.
   */
  lost(settledSince?: readonly SlotPlace[]): void;
  /** What is still under way now that the partition may move: asked right before the last commit of every rejoin and of a stop. */
  underWay?(): Iterable<SlotUnderWay>;
}

/** The log of a partition when it was assigned: where reading begins, and the offset that its next record will get. */
export interface AssignedAt {
  readonly start: number;
  readonly end: number;
  /** By what the last owner committed; false for what he does not speak of. */
  isFinished(offset: number): boolean;
  /** Before it are all slots at which he may still be; 0 when there are none. */
  readonly heldEnd: number;
}

export interface FetchOptions {
  /** Bytes a busy consumer lets the broker gather per fetch (an idle one takes the first byte). */
  minBytes?: number;
  /** Longest wait for minBytes while busy. */
  maxWaitMs?: number;
  maxBytesPerPartition?: number;
  /** Longest wait for the first byte while idle; also how long a stop may wait for the last fetch. */
  idleWaitMs?: number;
}

export interface ConsumerOptions {
  groupId: string;
  topics: string[];
  /** 1 by default. */
  slotCount?(record: { headers: Record<string, string>; value: Buffer }): number;
  assigned(topic: string, partition: number, at: AssignedAt): PartitionHandler;
  /** Awaited before every JoinGroup (bounded by drainTimeoutMs); the last maps are committed after it. */
  beforeRejoin?(): Promise<void>;
  /** The rejoin is over: mayBegin() is true again, retained partitions go on. */
  rejoined?(): void;
  drainTimeoutMs?: number;
  sessionTimeoutMs?: number;
  rebalanceTimeoutMs?: number;
  heartbeatIntervalMs?: number;
  /** At most every `min`, at least every `max` while there is something to say. */
  commitIntervalMs?: { min: number; max: number };
  maxEncodedMapChars?: number;
  fetch?: FetchOptions;
  /** The consumer is dead and will not come back by itself: end the process. */
  onFatal(error: Error): void;
}

export interface PartitionStats {
  topic: string;
  partition: number;
  /** Records between our position and the log's end as of the last fetch; null before the first. */
  lag: number | null;
  /** Records between the lowest unfinished one and our position. */
  uncommittedSpan: number;
  /** Characters of the last encoded map. */
  mapChars: number;
  paused: boolean;
  /** Records that were passed over and wait for a reread. */
  passedOver: number;
  /** Slots at which an earlier owner may still be. */
  held: number;
}

export interface ConsumerStats {
  generation: number | null;
  rebalances: number;
  commits: number;
  commitFailures: number;
  lastHeartbeatAgeMs: number | null;
  partitions: PartitionStats[];
}

export interface Consumer {
  start(): Promise<void>;
  /**
   * Hands on nothing new, calls drain, waits up to drainTimeoutMs for it, commits a last map with what is still under
   * way, leaves the group (every partition is lost), awaits the rest of drain. Safe twice and before start.
   * Without `underWay` on the handlers nothing could be handed over: then drain gets nearly the rebalance time-out.
   */
  stop(options?: { drain?: () => Promise<void> }): Promise<void>;
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  /** Leaves a partition in which nothing is expected out of the fetches. Coming back may take as long as an idle fetch. */
  park(topic: string, partition: number, parked: boolean): void;
  /**
   * Reads again from the first record at or after `offset` that was passed over: only such records, still unfinished,
   * are offered; then it goes on at the position. An offset at or past the position ends a rereading.
   * Returns where it goes on; null when there is no such record.
   */
  reread(topic: string, partition: number, offset: number): number | null;
  /**
   * The fence: a heartbeat sent within the session time-out less 3 s was answered well. While false nothing may go out,
   * not even the produces that settle what is under way (a producer's `mayStart`).
   */
  mayAct(): boolean;
  /** mayAct(), and no rejoin or stop is draining: only then may new work (an attempt) begin. */
  mayBegin(): boolean;
  readonly assignment: ReadonlyArray<{ topic: string; partition: number }>;
  stats(): ConsumerStats;
}
