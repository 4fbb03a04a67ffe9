import kafkajs from 'kafkajs';
import { type KafkaClient, openAdmin } from './client.ts';
import { KafkaRefusedError, nameSaslFailure } from './name-refusals.ts';

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly config: Readonly<Record<string, string>>;
  /** Keys of `config` that checkTopics holds the live topic to. */
  readonly promises?: readonly string[];
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

type KafkaJsAdmin = ReturnType<typeof openAdmin>;

const CREATE_TIMEOUT_MS = 10_000;
const LEADER_TIMEOUT_MS = 15_000;
const LEADER_POLL_MS = 50;

/**
 * Connects at the first question, and again after a failure; `close` ends it. Rejects with a KafkaRefusedError when the
 * cluster is there and will not have us, or we it.
 */
export function createAdmin(client: KafkaClient): Admin {
  let refused: string | undefined;
  const admin = openAdmin(client, (sentence) => {
    refused = sentence;
  });
  let connected: Promise<void> | undefined;
  const connect = (): Promise<void> => {
    if (connected) return connected;
    refused = undefined;
    connected = admin.connect().catch((cause: unknown) => {
      connected = undefined;
      const sentence = refused ?? explainSasl(client, cause);
      throw sentence === undefined ? cause : new KafkaRefusedError(sentence, { cause });
    });
    return connected;
  };

  return {
    async ensureTopics(specs) {
      await connect();
      const present = new Set(await admin.listTopics());
      const created: string[] = [];
      const existing: string[] = [];
      for (const spec of specs) {
        const made = !present.has(spec.name) && (await createTopic(admin, spec));
        (made ? created : existing).push(spec.name);
      }
      await untilLed(admin, created);
      return { created, existing };
    },
    async checkTopics(specs) {
      await connect();
      return checkTopics(admin, specs);
    },
    async deleteTopicsWithPrefix(prefix) {
      await connect();
      if (prefix === '') throw new Error('a prefix is needed: an empty one would delete every topic');
      const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
      if (topics.length > 0) await admin.deleteTopics({ topics });
      return topics;
    },
    async endOffsets(topic) {
      await connect();
      const offsets = await admin.fetchTopicOffsets(topic);
      return offsets
        .map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }))
        .sort((a, b) => a.partition - b.partition);
    },
    async fetchCommitted(groupId, topics) {
      await connect();
      const found = await admin.fetchOffsets({ groupId, topics: [...topics] });
      return found.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset, metadata }) => ({
          topic,
          partition,
          offset: Number(offset),
          metadata,
        })),
      );
    },
    async close() {
      if (connected !== undefined) await connected.then(() => admin.disconnect()).catch(() => {});
      connected = undefined;
    },
  };
}

function explainSasl({ connection }: KafkaClient, error: unknown): string | undefined {
  const failure = nameSaslFailure(error);
  return failure && connection.explain?.(failure, connection.brokers.join(', '));
}

/**
 * What a service does before it starts: it would break its promises on a topic that is missing, or set otherwise.
 * @throws Error with a line for each fault.
 */
export async function refuseUnsafeTopics(client: KafkaClient, specs: readonly TopicSpec[]): Promise<void> {
  const admin = createAdmin(client);
  try {
    const faults = await admin.checkTopics(specs);
    if (faults.length > 0) throw new Error(`topics break a promise:\n  - ${faults.join('\n  - ')}`);
  } finally {
    await admin.close();
  }
}

/** False when somebody else made it meanwhile. One by one: createTopics fails as a whole when one of several exists. */
async function createTopic(admin: KafkaJsAdmin, spec: TopicSpec): Promise<boolean> {
  const made = admin.createTopics({
    timeout: CREATE_TIMEOUT_MS,
    waitForLeaders: false,
    topics: [
      {
        topic: spec.name,
        numPartitions: spec.partitions,
        replicationFactor: spec.replicationFactor,
        configEntries: Object.entries(spec.config).map(([name, value]) => ({ name, value })),
      },
    ],
  });
  return made.catch((cause: Error & { errors?: readonly Error[] }) => {
    const [why = cause] = cause.errors ?? [];
    throw new Error(`topic ${spec.name} could not be created: ${why.message}`, { cause });
  });
}

/** A consumer that subscribes to a topic without leaders crashes. */
async function untilLed(admin: KafkaJsAdmin, topics: readonly string[]): Promise<void> {
  if (topics.length === 0) return;
  const untilMs = performance.now() + LEADER_TIMEOUT_MS;
  for (;;) {
    const led = await admin
      .fetchTopicMetadata({ topics: [...topics] })
      .then((found) => found.topics.every((topic) => topic.partitions.every(({ leader }) => leader >= 0)))
      .catch(() => false);
    if (led) return;
    if (performance.now() > untilMs) {
      throw new Error(`topics without a leader after ${LEADER_TIMEOUT_MS} ms: ${topics.join(', ')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LEADER_POLL_MS));
  }
}

async function checkTopics(admin: KafkaJsAdmin, specs: readonly TopicSpec[]): Promise<string[]> {
  const present = new Set(await admin.listTopics());
  const found = specs.filter(({ name }) => present.has(name));
  const faults = specs
    .filter(({ name }) => !present.has(name))
    .map(
      ({ name }) =>
        `topic ${name} does not exist, or this service has no right to see it: create it (with its settings) before the services start`,
    );
  if (found.length === 0) return faults;

  const { topics } = await admin.fetchTopicMetadata({ topics: found.map(({ name }) => name) });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: found.map(({ name, promises }) => ({
      type: kafkajs.ConfigResourceTypes.TOPIC,
      name,
      configNames: [...(promises ?? [])],
    })),
  });
  for (const spec of found) {
    const partitions = topics.find(({ name }) => name === spec.name)?.partitions ?? [];
    const entries = resources.find(({ resourceName }) => resourceName === spec.name)?.configEntries ?? [];
    const live = new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
    faults.push(...faultsOf(spec, partitions, live));
  }
  return faults;
}

function faultsOf(
  spec: TopicSpec,
  partitions: ReadonlyArray<{ replicas: readonly number[] }>,
  live: ReadonlyMap<string, string>,
): string[] {
  const faults: string[] = [];
  if (partitions.length !== spec.partitions) {
    faults.push(
      `topic ${spec.name} has ${partitions.length} partitions, but ${spec.partitions} are expected`,
    );
  }
  const replicas = Math.min(...partitions.map((partition) => partition.replicas.length));
  if (replicas < spec.replicationFactor) {
    faults.push(`topic ${spec.name} has ${replicas} replicas, but ${spec.replicationFactor} are promised`);
  }
  for (const key of spec.promises ?? []) {
    const expected = spec.config[key];
    if (expected !== undefined && live.get(key) !== expected) {
      faults.push(
        `topic ${spec.name} has ${key}=${live.get(key) ?? '(not set)'}, but ${expected} is promised`,
      );
    }
  }
  return faults;
}
