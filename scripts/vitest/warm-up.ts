import { connectKafka, createAdmin } from '@posthorn/kafka';
import { waitUntil } from '@posthorn/testkit';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Has a new broker make its topic of group offsets, which it does when it is first asked for a group: until then every
 * consumer is told that there is no coordinator.
 */
export async function warmUpGroups(brokers: string): Promise<void> {
  const admin = createAdmin(connectKafka({ brokers: brokers.split(','), clientId: 'tests' }, SILENT));
  try {
    await waitUntil(() => admin.fetchCommitted('warm-up', []), { what: 'a group coordinator' });
  } finally {
    await admin.close();
  }
}
