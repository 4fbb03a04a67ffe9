import { type KafkaClient, openAdmin } from './client.ts';
import { within } from './within.ts';

const PROBE_TIMEOUT_MS = 5_000;

/** Whether the cluster answers a client of its own, with connections of its own. */
export async function clusterAnswers(client: KafkaClient, topics: string[]): Promise<boolean> {
  const admin = openAdmin(client);
  let answered = false;
  const asked = admin
    .connect()
    .then(() => admin.fetchTopicMetadata({ topics }))
    .then(() => {
      answered = true;
    });
  // Not before it has settled: a connect that is still under way would leave its socket behind.
  const closed = asked.catch(() => {}).then(() => admin.disconnect().catch(() => {}));
  await within(PROBE_TIMEOUT_MS, closed);
  return answered;
}
