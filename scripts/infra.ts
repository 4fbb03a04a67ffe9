import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedKafka } from './infra/embedded-kafka.ts';
import { startEmbeddedPostgres } from './infra/embedded-postgres.ts';
import { checkJava, ensureKafkaJars } from './infra/kafka-jars.ts';
import { openRunFile } from './run-file.mjs';

const USAGE = `npm run infra -- [--dir <folder>] [--kafka-port 19092] [--postgres-port 15432]

Starts an embedded Kafka and Postgres alone and leaves them running, for whoever runs services and tests by hand.`;

const root = resolve(import.meta.dirname, '..');
const say = (line: string) => console.log(line);

async function startBoth(dir: string, kafkaPort: number, postgresPort: number): Promise<void> {
  await checkJava();
  const libs = await ensureKafkaJars(join(root, 'infra/kafka/pom.xml'), join(root, '.toolchain'), say);
  await mkdir(dir, { recursive: true });
  const running = openRunFile(join(dir, 'run.json'), 'npm run infra');
  const [kafka, postgres] = await Promise.all([
    startEmbeddedKafka({
      dir: join(dir, 'kafka'),
      libs,
      port: kafkaPort,
      onSpawn: (pid) => running.add('Kafka', pid),
    }),
    startEmbeddedPostgres({
      dir: join(dir, 'postgres'),
      port: postgresPort,
      shortLived: true,
      onSpawn: (pid) => running.add('Postgres', pid),
    }),
  ]);
  say(`KAFKA_BROKERS=${kafka.brokers}`);
  say(`DATABASE_URL=${postgres.url}`);
  say(`Both keep running; stop them with: kill -INT ${kafka.server.pid} ${postgres.server.pid}`);
}

try {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string', default: join(root, '.posthorn', 'infra') },
      'kafka-port': { type: 'string', default: '19092' },
      'postgres-port': { type: 'string', default: '15432' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) say(USAGE);
  else await startBoth(resolve(values.dir), Number(values['kafka-port']), Number(values['postgres-port']));
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
