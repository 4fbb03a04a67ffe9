import type { KafkaLog } from './client.ts';
import type { InternalCluster } from './kafkajs-internals.ts';
import { type EncodedBatch, type PartitionReply, produceCall } from './produce-request.ts';
import { type Compression, encodeBatch, type SizedRecord } from './record-batch.ts';

export interface SendBatch {
  topic: string;
  partition: number;
  records: readonly SizedRecord[];
}

export type SendOutcome =
  | { kind: 'replied'; partitions: readonly PartitionReply[] }
  | { kind: 'failed'; cause: unknown };

export interface ProduceTransport {
  /** The node that leads the partition, as far as is known; null asks for a refresh. */
  route(topic: string, partition: number): number | null;
  refresh(topics: string[]): Promise<void>;
  /** Never rejects. `beforeWrite` is called right before bytes go to the socket, and may throw to keep them from going. */
  send(node: number, batches: readonly SendBatch[], beforeWrite: () => void): Promise<SendOutcome>;
}

const NO_LEADER = -1;

/** Produces through a kafkajs cluster: its connections, metadata and authentication, with our own request. */
export class ClusterTransport implements ProduceTransport {
  readonly #cluster: InternalCluster;
  readonly #log: KafkaLog;
  readonly #requestTimeoutMs: number;
  readonly #compression: Compression;
  readonly #wallMs: () => number;
  #routed: unknown = null;
  #leaders = new Map<string, Map<number, number>>();

  constructor(
    cluster: InternalCluster,
    log: KafkaLog,
    options: { requestTimeoutMs: number; compression: Compression; wallMs: () => number },
  ) {
    this.#cluster = cluster;
    this.#log = log;
    this.#requestTimeoutMs = options.requestTimeoutMs;
    this.#compression = options.compression;
    this.#wallMs = options.wallMs;
  }

  route(topic: string, partition: number): number | null {
    const { metadata } = this.#cluster.brokerPool;
    if (metadata !== this.#routed) {
      this.#routed = metadata;
      this.#leaders = new Map();
      for (const { topic, partitionMetadata } of metadata?.topicMetadata ?? []) {
        this.#leaders.set(topic, new Map(partitionMetadata.map((p) => [p.partitionId, p.leader])));
      }
    }
    const leader = this.#leaders.get(topic)?.get(partition) ?? NO_LEADER;
    return leader === NO_LEADER ? null : leader;
  }

  /** Topics one by one: a metadata request with one unknown topic in it fails for all. */
  async refresh(topics: string[]): Promise<void> {
    if (!this.#cluster.isConnected()) await this.#cluster.connect();
    let wanted = topics.filter((topic) => !this.#leaders.has(topic));
    if (wanted.length === 0) {
      try {
        await this.#cluster.refreshMetadata();
        return;
      } catch (error) {
        if ((error as { type?: string }).type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
        wanted = [...this.#cluster.targetTopics];
        this.#cluster.targetTopics.clear();
      }
    }
    let failure: unknown;
    for (const topic of wanted) {
      await this.#cluster.addMultipleTargetTopics([topic]).catch((error: unknown) => {
        failure = error;
      });
    }
    if (failure !== undefined) throw failure;
  }

  async send(node: number, batches: readonly SendBatch[], beforeWrite: () => void): Promise<SendOutcome> {
    try {
      const encoded: EncodedBatch[] = [];
      const timestampMs = this.#wallMs();
      for (const { topic, partition, records } of batches) {
        const batch = await encodeBatch(records, timestampMs, this.#compression);
        encoded.push({ topic, partition, batch });
      }
      const broker = await this.#cluster.findBroker({ nodeId: node });
      try {
        const call = produceCall(encoded, this.#requestTimeoutMs, beforeWrite);
        return { kind: 'replied', partitions: (await broker.connectionPool.send(call)).partitions };
      } catch (cause) {
        // Half-open connections are not mended by waiting.
        if (!broker.isConnected()) await broker.disconnect().catch(() => {});
        throw cause;
      }
    } catch (cause) {
      this.#log.debug({ node, err: cause }, 'a produce request failed');
      return { kind: 'failed', cause };
    }
  }
}
