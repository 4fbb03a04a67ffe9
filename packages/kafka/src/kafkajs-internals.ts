/**
 * The parts of kafkajs 2.2.4 that its own types leave out and this package stands on. The version is pinned and
 * test/kafkajs-patch.integration.test.ts notices when one of them is gone.
 */

export interface ProtocolRequest {
  apiKey: number;
  apiVersion: number;
  apiName: string;
  /** Called once the connection is up, right before the bytes go to the socket. */
  encode(): Promise<{ buf: Buffer; buffer: Buffer }>;
}

export interface ProtocolCall<Reply> {
  request: ProtocolRequest;
  response: { decode(raw: Buffer): Promise<Reply>; parse(reply: Reply): Promise<Reply> };
  requestTimeout?: number;
  logResponseError?: boolean;
}

export interface OffsetCommitRequest {
  groupId: string;
  memberId: string;
  groupGenerationId: number;
  topics: Array<{
    topic: string;
    partitions: Array<{ partition: number; offset: string; metadata: string }>;
  }>;
}

export interface OffsetFetchReply {
  responses: Array<{
    topic: string;
    partitions: Array<{ partition: number; offset: string; metadata: string | null }>;
  }>;
}

export interface TopicPartitions {
  topic: string;
  partitions: number[];
}

export interface InternalBroker {
  nodeId: number;
  connectionPool: { host: string; port: number; send<Reply>(call: ProtocolCall<Reply>): Promise<Reply> };
  isConnected(): boolean;
  disconnect(): Promise<void>;
  findGroupCoordinator(group: { groupId: string; coordinatorType: number }): Promise<unknown>;
  offsetCommit(request: OffsetCommitRequest): Promise<unknown>;
  offsetFetch(request: {
    groupId: string;
    topics: Array<{ topic: string; partitions: Array<{ partition: number }> }>;
  }): Promise<OffsetFetchReply>;
}

export interface ClusterMetadata {
  topicMetadata: Array<{
    topic: string;
    partitionMetadata: Array<{ partitionId: number; leader: number }>;
  }>;
}

export interface InternalCluster {
  brokerPool: { metadata: ClusterMetadata | null; findConnectedBroker(): Promise<InternalBroker> };
  targetTopics: Set<string>;
  isConnected(): boolean;
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  addMultipleTargetTopics(topics: string[]): Promise<void>;
  findBroker(node: { nodeId: number }): Promise<InternalBroker>;
  findGroupCoordinator(group: { groupId: string }): Promise<InternalBroker>;
  findTopicPartitionMetadata(topic: string): Array<{ partitionId: number; leader: number }>;
  fetchTopicsOffset(
    topics: Array<{ topic: string; partitions: Array<{ partition: number }>; fromBeginning: boolean }>,
  ): Promise<Array<{ topic: string; partitions: Array<{ partition: number; offset: string }> }>>;
}

export interface FetchedMessage {
  offset: string;
  timestamp: string;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, Buffer | null>;
}

export interface FetchedBatch {
  topic: string;
  partition: number;
  fetchedOffset: string;
  highWatermark: string;
  rawMessages: unknown[];
  messages: FetchedMessage[];
  lastOffset(): string;
}

/** kafkajs' ConsumerGroup, as the patch hands it to beforeJoin and afterJoin. */
export interface InternalGroup {
  cluster: InternalCluster;
  coordinator: InternalBroker;
  groupId: string;
  memberId: string | null;
  generationId: number | null;
  /** Monotonic; of the last heartbeat or SyncGroup that was answered well. */
  lastHeartbeatSentAt: number | null;
  /** Monotonic; a heartbeat goes when this is an interval old. */
  lastRequest: number;
  minBytes: number;
  maxWaitTime: number;
  seekOffset: { clear(): void };
  offsetManager: {
    committedOffsets(): Record<string, Record<number, string>>;
    resolvedOffsets: Record<string, Record<number, string>>;
  };
  subscriptionState: {
    pause(partitions: TopicPartitions[]): void;
    resume(partitions: TopicPartitions[]): void;
  };
  assigned(): TopicPartitions[];
  fetch(nodeId: number): Promise<FetchedBatch[]>;
  joinAndSync(): Promise<void>;
  recoverFromOffsetOutOfRange(error: { topic: string; partition: number }): Promise<void>;
  leave(): Promise<void>;
}

export interface JoinHooks {
  beforeJoin(group: InternalGroup): Promise<void>;
  afterJoin(group: InternalGroup): Promise<void>;
}
