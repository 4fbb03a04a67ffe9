import { type KafkaClient, openProduceCluster } from './client.ts';

const REQUEST_TIMEOUT_MS = 6_000;
/** How one who is no member commits for a group without members. */
const NO_GENERATION = -1;

/**
 * Writes a group's offsets and metadata as they are given, for tools that repair a group, and for tests of what a
 * damaged one does. The broker refuses it while the group has members.
 */
export async function overwriteCommitted(
  client: KafkaClient,
  groupId: string,
  topic: string,
  offsets: readonly { readonly partition: number; readonly offset: number; readonly metadata: string }[],
): Promise<void> {
  const cluster = openProduceCluster(client, REQUEST_TIMEOUT_MS);
  await cluster.connect();
  try {
    await cluster.refreshMetadata();
    const coordinator = await cluster.findGroupCoordinator({ groupId });
    const partitions = offsets.map(({ partition, offset, metadata }) => ({
      partition,
      offset: String(offset),
      metadata,
    }));
    await coordinator.offsetCommit({
      groupId,
      memberId: '',
      groupGenerationId: NO_GENERATION,
      topics: [{ topic, partitions }],
    });
  } finally {
    await cluster.disconnect();
  }
}
