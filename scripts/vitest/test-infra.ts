import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { freePort, type SecuredInfra } from '@posthorn/testkit';
import { removeWithElsewhere } from '../infra/elsewhere.mjs';
import { findKafka, findPostgres, type Infra } from '../infra/find-infra.ts';
import type { Say } from '../infra/kafka-jars.ts';
import { secureInfra } from '../infra/secured-infra.ts';
import { openRunFile, readRunFile, stopLeftovers } from '../run-file.mjs';
import { warmUpGroups } from './warm-up.ts';

/** Nobody wants the data of a test run that was killed. */
const NO_GRACE_MS = 0;
const root = resolve(import.meta.dirname, '..', '..');

export type TestInfra = {
  readonly kafkaBrokers: string;
  readonly databaseUrl: string;
  /** `<port>:<proxy's port>` of a listener that sends its clients through a proxy; where the broker is ours. */
  readonly proxiedListener: string | undefined;
  /** Where both are ours. */
  readonly secured: SecuredInfra | undefined;
  /** Whether Postgres goes away with the run, and all databases in it. */
  readonly ephemeral: boolean;
  /** Notes a process that must end with the run, even when the run is killed. */
  readonly onSpawn: (name: string, pid: number | undefined) => void;
  stop(): Promise<void>;
};

/** One Kafka and one Postgres for a test run, their data thrown away afterwards. */
export async function startTestInfra(say: Say, signal = new AbortController().signal): Promise<TestInfra> {
  await removeLeftovers();
  const dir = join(root, '.posthorn', `test-${process.pid}`);
  const runFile = join(dir, 'run.json');
  await mkdir(dir, { recursive: true });
  const running = openRunFile(runFile, 'test run');
  const found: Infra[] = [];
  const keep = async (start: Promise<Infra>) => {
    const infra = await start;
    found.push(infra);
    return infra;
  };
  const stop = async () => {
    await Promise.all(found.map((each) => each.stop(signal)));
    await removeTestDir(dir);
  };
  const proxied = { port: await freePort(), proxyPort: await freePort() };
  const secured = await secureInfra(dir);
  const kind = { shortLived: true, countsStatements: true, proxied, secured };
  const options = { ...kind, root, dir, signal, say, onSpawn: running.add };
  const kafkaReady = async () => {
    const kafka = await keep(findKafka(options));
    if (kafka.from !== 'environment') await warmUpGroups(kafka.address);
    return kafka;
  };
  const both = await Promise.allSettled([kafkaReady(), keep(findPostgres(options))]);
  const failed = both.find((each) => each.status === 'rejected');
  const [kafka, postgres] = both;
  if (failed || kafka.status !== 'fulfilled' || postgres.status !== 'fulfilled') {
    await stop();
    throw failed?.reason;
  }
  return {
    kafkaBrokers: kafka.value.address,
    databaseUrl: postgres.value.address,
    proxiedListener: kafka.value.from === 'embedded' ? `${proxied.port}:${proxied.proxyPort}` : undefined,
    secured: [kafka, postgres].every(({ value }) => value.from === 'embedded') ? secured.infra : undefined,
    ephemeral: postgres.value.from !== 'environment',
    onSpawn: running.add,
    stop,
  };
}

async function removeTestDir(dir: string): Promise<void> {
  await removeWithElsewhere(join(dir, 'postgres'));
  await rm(dir, { recursive: true, force: true });
}

/** Stops and removes what killed test runs left; runs that are still going are left alone. */
async function removeLeftovers(): Promise<void> {
  const base = join(root, '.posthorn');
  const names = (await readdir(base).catch(() => [])).filter((name) => name.startsWith('test-'));
  for (const name of names) {
    const runFile = join(base, name, 'run.json');
    const alive = await readRunFile(runFile);
    if (alive.some((each) => each.name === 'test run')) continue;
    await stopLeftovers(runFile, NO_GRACE_MS);
    await removeTestDir(join(base, name));
  }
}
