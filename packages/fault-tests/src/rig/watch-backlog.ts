import { createAdmin } from '@posthorn/kafka';
import { connect } from './connect.ts';

export interface Backlog {
  /** Records that some group has not committed yet, by group; null when Kafka does not say. */
  read(): Promise<Readonly<Record<string, number>> | null>;
  close(): Promise<void>;
}

/** Which topics each consumer group of the system reads. */
function groupsOf(prefix: string, tiers: readonly string[]): Record<string, readonly string[]> {
  const named = (...names: string[]) => names.map((name) => `${prefix}${name}`);
  return {
    'fan-out': named('events'),
    release: named(...tiers.map((tier) => `retry.${tier}`)),
    replay: named('replay'),
    worker: named('deliveries', 'overflow'),
    recorder: named('events', 'journal', 'dead-letters'),
  };
}

/** What the brokers know of the groups' progress: an offset is committed only when all before it is done with. */
export function watchBacklog(brokers: readonly string[], prefix: string, tiers: readonly string[]): Backlog {
  const admin = createAdmin(connect(brokers));
  const groups = groupsOf(prefix, tiers);
  const absent = new Set<string>();

  async function isThere(topic: string): Promise<boolean> {
    if (absent.has(topic)) return false;
    const found = await admin.endOffsets(topic).then(
      () => true,
      (error: Error) => {
        if (error.message.includes('does not host this topic')) return false;
        throw error;
      },
    );
    if (!found) absent.add(topic);
    return found;
  }

  async function behind(group: string, all: readonly string[]): Promise<number> {
    const topics: string[] = [];
    for (const topic of all) if (await isThere(topic)) topics.push(topic);
    const committed = await admin.fetchCommitted(`${prefix}${group}`, topics);
    let lag = 0;
    for (const topic of topics) {
      for (const { partition, low, high } of await admin.endOffsets(topic)) {
        const at =
          committed.find((each) => each.topic === topic && each.partition === partition)?.offset ?? -1;
        lag += high - Math.max(at, low);
      }
    }
    return lag;
  }

  return {
    async read() {
      try {
        const lags = await Promise.all(
          Object.entries(groups).map(
            async ([group, topics]) => [group, await behind(group, topics)] as const,
          ),
        );
        return Object.fromEntries(lags);
      } catch {
        return null;
      }
    },
    close: () => admin.close(),
  };
}
