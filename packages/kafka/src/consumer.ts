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
}

export interface PartitionHandler {
  /** Synchronous. False refuses: the partition is paused and the record offered again after resume(). */
  offer(record: TrackedRecord): boolean;
  /** The partition is gone: drop what is queued for it. */
  lost(): void;
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
  assigned(topic: string, partition: number): PartitionHandler;
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
  /** Hands on nothing new, awaits drain, commits a last map, leaves the group. Safe twice and before start. */
  stop(options?: { drain?: () => Promise<void> }): Promise<void>;
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
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
