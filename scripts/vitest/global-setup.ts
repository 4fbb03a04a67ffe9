import { randomBytes } from 'node:crypto';
import { dropTestDatabases, ensureTemplate } from './template.ts';
import { startTestInfra } from './test-infra.ts';

/**
 * Puts the addresses of a Kafka and a Postgres, and the database to clone, where `@posthorn/testkit` reads them. Takes
 * the addresses of the environment when there are any; `npm test` sets them, so that all its runs share one pair.
 */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.POSTHORN_TEST_TEMPLATE) return undefined;
  const infra = await startTestInfra(console.log);
  process.env.KAFKA_BROKERS = infra.kafkaBrokers;
  process.env.DATABASE_URL = infra.databaseUrl;
  if (infra.proxiedListener) process.env.KAFKA_PROXIED_LISTENER = infra.proxiedListener;
  if (infra.secured) process.env.POSTHORN_SECURED_INFRA = JSON.stringify(infra.secured);
  process.env.POSTHORN_TEST_TEMPLATE = await ensureTemplate(infra.databaseUrl);
  const run = randomBytes(4).toString('hex');
  process.env.POSTHORN_TEST_RUN = run;
  return async () => {
    delete process.env.POSTHORN_TEST_TEMPLATE;
    if (!infra.ephemeral) await dropTestDatabases(infra.databaseUrl, run);
    await infra.stop();
  };
}
