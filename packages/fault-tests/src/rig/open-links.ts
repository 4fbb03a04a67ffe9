import { type FaultProxy, startFaultProxy } from '@posthorn/testkit';
import type { Infra } from './start-infra.ts';

type Listening = Pick<Infra, 'listeners'>;

/** The connections of one member to what it depends on. */
export interface Link {
  readonly kafka: readonly FaultProxy[];
  readonly postgres: FaultProxy;
}

/** Proxies between services and their infrastructure, by member; none unless asked for. */
export interface Links {
  of(member: string): Link;
  environmentOf(member: string): Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Each has its own listener of every broker, so that cutting one off leaves the others alone. */
const PROXIED_MEMBERS = ['ingest-1', 'dispatcher-1', 'worker-1', 'worker-2', 'recorder-1'];

export async function openLinks(infra: Listening, databaseUrl: string, wanted: boolean): Promise<Links> {
  const links = new Map<string, Link>();
  if (wanted) {
    for (const [index, member] of PROXIED_MEMBERS.entries())
      links.set(member, await openLink(infra, databaseUrl, index));
  }
  return {
    of(member) {
      const link = links.get(member);
      if (!link) throw new Error(`${member} has no proxies`);
      return link;
    },
    environmentOf(member): Record<string, string> {
      const link = links.get(member);
      if (!link) return {};
      const url = new URL(databaseUrl);
      url.port = String(link.postgres.port);
      return {
        KAFKA_BROKERS: link.kafka.map(({ port }) => `127.0.0.1:${port}`).join(),
        DATABASE_URL: url.href,
      };
    },
    async close() {
      const proxies = [...links.values()].flatMap(({ kafka, postgres }) => [...kafka, postgres]);
      await Promise.all(proxies.map((proxy) => proxy.close()));
    },
  };
}

async function openLink(infra: Listening, databaseUrl: string, client: number): Promise<Link> {
  const kafka = await Promise.all(
    infra.listeners.map((ofBroker) => {
      const { port, proxyPort } = ofBroker[client]!;
      return startFaultProxy({ targetPort: port, port: proxyPort });
    }),
  );
  return { kafka, postgres: await startFaultProxy({ targetPort: Number(new URL(databaseUrl).port) }) };
}
