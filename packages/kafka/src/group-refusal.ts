import { type KafkaClient, openProduceCluster } from './client.ts';
import { KafkaRefusedError } from './name-refusals.ts';

const REQUEST_TIMEOUT_MS = 6_000;

/**
 * Why nobody coordinates the group, when that is for want of a right to it. kafkajs drops the broker's answer, says
 * "Failed to find group coordinator" and tries for ever.
 */
export async function groupRefusal(client: KafkaClient, groupId: string): Promise<Error | undefined> {
  const cluster = openProduceCluster(client, REQUEST_TIMEOUT_MS);
  try {
    await cluster.connect();
    const broker = await cluster.brokerPool.findConnectedBroker();
    await broker.findGroupCoordinator({ groupId, coordinatorType: 0 });
    return undefined;
  } catch (cause) {
    if ((cause as { type?: string }).type !== 'GROUP_AUTHORIZATION_FAILED') return undefined;
    return new KafkaRefusedError(`no right to the consumer group ${groupId}: allow this service to read it`, {
      cause,
    });
  } finally {
    // What is known by now stands, whatever becomes of the connection: the consumer waits for it to end.
    await cluster.disconnect().catch(() => undefined);
  }
}
