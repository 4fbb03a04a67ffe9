import type { KafkaClient } from './client.ts';

export interface TopicSpec {
  name: string;
  partitions: number;
  replicationFactor: number;
  config: Record<string, string>;
  /** Keys of `config` that checkTopics holds the live topic to. */
  promises?: readonly string[];
}

export interface CommittedOffset {
  topic: string;
  partition: number;
  /** -1 where nothing was committed (or where the broker no longer knows it). */
  offset: number;
  metadata: string | null;
}

export interface Admin {
  ensureTopics(specs: readonly TopicSpec[]): Promise<{ created: string[]; existing: string[] }>;
  /** Sentences for people: what of the live topics breaks a promise. Empty means all is well. */
  checkTopics(specs: readonly TopicSpec[]): Promise<string[]>;
  /** The names that were deleted. */
  deleteTopicsWithPrefix(prefix: string): Promise<string[]>;
  endOffsets(topic: string): Promise<Array<{ partition: number; low: number; high: number }>>;
  fetchCommitted(groupId: string, topics: readonly string[]): Promise<CommittedOffset[]>;
  close(): Promise<void>;
}

export function createAdmin(_client: KafkaClient): Admin {
  throw new Error('not built yet');
}
