import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { freePort } from '@posthorn/testkit';
import type { Infra, InfraOptions } from './find-infra.ts';
import { DOCKER_SOCKET, volumeName } from './volumes.mjs';

const KAFKA_IMAGE = 'apache/kafka:4.1.1';
const POSTGRES_IMAGE = 'postgres:18';
const PING_MS = 1_000;
const STOP_MS = 10_000;

/** Whether a Docker daemon answers; asked before the client is loaded, which takes half a second. */
export function dockerAnswers(): Promise<boolean> {
  if (process.env.DOCKER_HOST) return Promise.resolve(true);
  if (!existsSync(DOCKER_SOCKET)) return Promise.resolve(false);
  return new Promise((resolve) => {
    const ping = request({ socketPath: DOCKER_SOCKET, path: '/_ping', timeout: PING_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.once('timeout', () => ping.destroy());
    ping.once('error', () => resolve(false));
    ping.end();
  });
}

export async function startKafkaContainer(options: InfraOptions): Promise<Infra> {
  const { GenericContainer, Wait } = await import('testcontainers');
  // Kafka tells its clients the port to come back to, so the host's port is chosen first.
  const port = await freePort();
  const container = await new GenericContainer(KAFKA_IMAGE)
    .withExposedPorts({ container: 9092, host: port })
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_LOG_DIRS: '/var/lib/kafka/data',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '4',
      KAFKA_OFFSETS_RETENTION_MINUTES: '43200',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_HEAP_OPTS: '-Xms256m -Xmx512m',
    })
    .withBindMounts(keptIn(options, 'kafka', '/var/lib/kafka/data'))
    .withWaitStrategy(Wait.forLogMessage('Kafka Server started'))
    .start();
  return started('Kafka', `127.0.0.1:${port}`, () => container.stop({ timeout: STOP_MS }));
}

export async function startPostgresContainer(options: InfraOptions): Promise<Infra> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const account = 'posthorn';
  const container = await new GenericContainer(POSTGRES_IMAGE)
    .withExposedPorts(5432)
    .withEnvironment({ POSTGRES_USER: account, POSTGRES_PASSWORD: account, POSTGRES_DB: account })
    .withCommand([
      'postgres',
      '-c',
      'max_connections=300',
      ...(options.shortLived ? ['-c', 'fsync=off'] : []),
      ...(options.countsStatements ? ['-c', 'shared_preload_libraries=pg_stat_statements'] : []),
    ])
    .withBindMounts(keptIn(options, 'postgres', '/var/lib/postgresql'))
    .withWaitStrategy(Wait.forLogMessage('database system is ready to accept connections', 2))
    .start();
  const port = container.getMappedPort(5432);
  const url = `postgres://${account}:${account}@${container.getHost()}:${port}/${account}`;
  return started('Postgres', url, () => container.stop({ timeout: STOP_MS }));
}

/** Named volumes keep the data of `npm start`; a test run's goes with its containers. */
function keptIn({ root, shortLived }: InfraOptions, name: 'kafka' | 'postgres', target: string) {
  return shortLived ? [] : [{ source: volumeName(root, name), target, mode: 'rw' as const }];
}

function started(name: Infra['name'], address: string, stop: () => Promise<unknown>): Infra {
  let stopping: Promise<unknown> | undefined;
  return {
    name,
    address,
    from: 'container',
    async stop() {
      stopping ??= stop();
      await stopping;
    },
  };
}
