import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  checkJava,
  ensureKafkaJars,
  identify,
  isAlive,
  openRunFile,
  removeWithElsewhere,
} from '@posthorn/scripts/embedded';
import postgres from 'postgres';
import { type Cluster, startCluster } from './start-brokers.ts';
import { type Postgres, startPostgres } from './start-postgres.ts';

export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/** The Kafka and Postgres of one run of the fault tests, its own to kill. */
export interface Infra extends Cluster {
  readonly dir: string;
  readonly libs: string;
  readonly postgres: Postgres;
  /** Notes a process that must end with the run, even when the run is killed. */
  readonly onSpawn: (name: string, pid: number | undefined) => void;
  /** A database of one scenario. */
  createDatabase(): Promise<string>;
  close(): Promise<void>;
}

/** Listeners whose clients come through a proxy: as many as a scenario cuts off one by one. */
const PROXIED_CLIENTS = 5;
let runs = 0;

/** Data lies in `place` when it is given. */
export async function startInfra(
  say: (line: string) => void,
  brokers: 1 | 3,
  place?: string,
): Promise<Infra> {
  await checkJava();
  const libs = await ensureKafkaJars(join(ROOT, 'infra/kafka/pom.xml'), join(ROOT, '.toolchain'), say);
  runs += 1;
  const name = `test-faults-${process.pid}-${runs}`;
  const dir = join(ROOT, '.posthorn', name);
  const data = place ? join(place, name) : dir;
  await Promise.all([join(dir, 'logs'), data].map((each) => mkdir(each, { recursive: true })));
  // The name by which the next run knows what a killed one left behind.
  const running = openRunFile(join(dir, 'run.json'), 'test run');
  const started: ReturnType<typeof identify>[] = [];
  const add = (name: string, pid: number | undefined) => {
    running.add(name, pid);
    if (pid) started.push(identify(name, pid));
  };
  const [cluster, database] = await Promise.all([
    startCluster({ dir: data, libs, count: brokers, proxiedClients: PROXIED_CLIENTS, onSpawn: add }),
    startPostgres(data, add),
  ]);
  return {
    ...cluster,
    dir,
    libs,
    postgres: database,
    onSpawn: add,
    createDatabase: () => createDatabase(database.url),
    async close() {
      await Promise.all([database.kill(), ...cluster.brokers.map((broker) => broker.kill())]);
      // A scenario that was broken off has left its services running.
      for (const each of started) if (isAlive(each)) process.kill(-each.pid, 'SIGKILL');
      await Promise.all(cluster.peers.map((peer) => peer.close()));
      await removeWithElsewhere(join(data, 'postgres'));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function createDatabase(adminUrl: string): Promise<string> {
  const url = new URL(adminUrl);
  const sql = postgres(adminUrl, { max: 1, onnotice: () => {} });
  try {
    const name = `faults_${randomBytes(4).toString('hex')}`;
    await sql.unsafe(`create database ${name}`);
    url.pathname = `/${name}`;
    return url.href;
  } finally {
    await sql.end();
  }
}
