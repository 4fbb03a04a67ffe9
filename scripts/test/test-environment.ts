import type { Say } from '../infra/kafka-jars.ts';
import { ensureTemplate } from '../vitest/template.ts';
import { startTestInfra, type TestInfra } from '../vitest/test-infra.ts';

export type TestEnvironment = {
  readonly env: NodeJS.ProcessEnv;
  readonly infra: TestInfra;
  readonly run: string;
};

/** Starts the pair that all Vitest runs of one `npm test` share, and names it in their environment. */
export async function prepareEnvironment(say: Say, signal: AbortSignal): Promise<TestEnvironment> {
  const infra = await startTestInfra(say, signal);
  try {
    const run = process.pid.toString(36);
    const env = {
      ...process.env,
      KAFKA_BROKERS: infra.kafkaBrokers,
      DATABASE_URL: infra.databaseUrl,
      POSTHORN_TEST_TEMPLATE: await ensureTemplate(infra.databaseUrl),
      POSTHORN_TEST_RUN: run,
      ...(infra.proxiedListener ? { KAFKA_PROXIED_LISTENER: infra.proxiedListener } : {}),
      ...(infra.secured ? { POSTHORN_SECURED_INFRA: JSON.stringify(infra.secured) } : {}),
    };
    return { env, infra, run };
  } catch (error) {
    await infra.stop();
    throw error;
  }
}
