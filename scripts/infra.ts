import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedKafka } from './infra/embedded-kafka.ts';
import { startEmbeddedPostgres } from './infra/embedded-postgres.ts';
import { checkJava, ensureKafkaJars } from './infra/kafka-jars.ts';

const root = resolve(import.meta.dirname, '..');
const say = (line: string) => console.log(line);

/** Kafka and Postgres alone, left running: for whoever starts services and tests by hand. */
const { values } = parseArgs({
  options: {
    dir: { type: 'string', default: join(root, '.posthorn', 'infra') },
    'kafka-port': { type: 'string', default: '19092' },
    'postgres-port': { type: 'string', default: '15432' },
  },
});
await checkJava();
const libs = await ensureKafkaJars(join(root, 'infra/kafka/pom.xml'), join(root, '.toolchain'), say);
const dir = resolve(values.dir);
const [kafka, postgres] = await Promise.all([
  startEmbeddedKafka({ dir: join(dir, 'kafka'), libs, port: Number(values['kafka-port']) }),
  startEmbeddedPostgres({
    dir: join(dir, 'postgres'),
    port: Number(values['postgres-port']),
    shortLived: true,
  }),
]);
say(`KAFKA_BROKERS=${kafka.brokers}`);
say(`DATABASE_URL=${postgres.url}`);
say(`Both keep running; stop them with: kill -INT ${kafka.server.pid} ${postgres.server.pid}`);
process.exit(0);
