import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  type ClusterNode,
  type KafkaOptions,
  type ProxiedListener,
  type ServerProcess,
  startEmbeddedKafka,
} from '@posthorn/scripts/embedded';
import { type FaultProxy, freePort, startFaultProxy } from '@posthorn/testkit';
import { createServerControl, type Server } from './server.ts';

export interface Cluster {
  readonly brokers: readonly Server[];
  /** Bootstrap addresses. */
  readonly addresses: readonly string[];
  /** Listeners whose clients come through proxies, by broker: `[broker][client]`. */
  readonly listeners: readonly (readonly ProxiedListener[])[];
  /** What the other brokers reach each one through; none when there is one alone. */
  readonly peers: readonly FaultProxy[];
}

export interface ClusterOptions {
  readonly dir: string;
  readonly libs: string;
  readonly count: 1 | 3;
  /** How many proxied listeners each broker has. */
  readonly proxiedClients: number;
  readonly onSpawn: (name: string, pid: number) => void;
}

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const places = await Promise.all(
    Array.from({ length: options.count }, async (_, index) => ({
      nodeId: index + 1,
      port: await freePort(),
      controllerPort: await freePort(),
      proxied: await Promise.all(Array.from({ length: options.proxiedClients }, proxiedListener)),
      internal: await proxiedListener(),
    })),
  );
  const voters = places.map(({ nodeId, controllerPort }) => `${nodeId}@127.0.0.1:${controllerPort}`).join();
  const clusterId = randomBytes(16).toString('base64url');
  const peers = await Promise.all(
    places
      .filter(() => options.count > 1)
      .map(({ internal }) => startFaultProxy({ targetPort: internal.port, port: internal.proxyPort })),
  );
  const brokers = await Promise.all(
    places.map(({ nodeId, internal, ...place }) => {
      const node: ClusterNode = { nodeId, clusterId, voters, internal };
      return startBroker(`broker-${nodeId}`, {
        ...place,
        dir: join(options.dir, `kafka-${nodeId}`),
        libs: options.libs,
        shortLived: true,
        ...(options.count > 1 ? { node } : {}),
        onSpawn: (pid) => options.onSpawn('Kafka', pid),
      });
    }),
  );
  return {
    brokers,
    addresses: places.map(({ port }) => `127.0.0.1:${port}`),
    listeners: places.map(({ proxied }) => proxied),
    peers,
  };
}

async function proxiedListener(): Promise<ProxiedListener> {
  return { port: await freePort(), proxyPort: await freePort() };
}

function startBroker(name: string, options: KafkaOptions): Promise<Server> {
  return createServerControl({
    name,
    start: async () => (await startEmbeddedKafka(options)).server,
    kill: (server) => server.stop('SIGKILL', 0),
    stop: (server: ServerProcess) => server.stop('SIGTERM', 30_000),
  });
}
