import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { runSetup } from '@posthorn/scripts/setup';
import { inheritedEnvironment, type ServiceProcess, startService } from '@posthorn/system-tests';
import { freePort } from '@posthorn/testkit';
import { request } from 'undici';
import type { KnownIds } from './draw-request.ts';

/** An API with something in it: what requests are aimed at. */
export interface FuzzTarget {
  readonly url: string;
  readonly service: ServiceProcess;
  readonly keys: readonly string[];
  readonly known: KnownIds;
  stop(): Promise<void>;
}

export interface FuzzGround {
  readonly kafkaBrokers: readonly string[];
  readonly databaseUrl: string;
  readonly logFile?: string;
}

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const TENANTS = ['fuzz', 'fuzz-other'] as const;

/** Ingest alone, on topics of its own: what it answers does not depend on whether anything is delivered. */
export async function startTarget({ kafkaBrokers, databaseUrl, logFile }: FuzzGround): Promise<FuzzTarget> {
  const operatorKey = `phk_op_${randomBytes(24).toString('hex')}`;
  const port = await freePort();
  const shared = {
    KAFKA_BROKERS: kafkaBrokers.join(),
    KAFKA_TOPIC_PREFIX: `fuzz-${randomBytes(4).toString('hex')}.`,
    DATABASE_URL: databaseUrl,
    LANES: '4',
    EVENT_PARTITIONS: '2',
    JOURNAL_PARTITIONS: '1',
    RETRY_TIERS: '50ms',
    RETRY_SCHEDULE: '50ms',
    // Nothing delivers here: a test of a webhook would wait in vain.
    MAX_TEST_WAIT_MS: '0',
    ADMIN_PORT: '0',
    SECRETS_KEY: randomBytes(32).toString('base64'),
  };
  await runSetup(ROOT, { ...inheritedEnvironment(), ...shared });
  const environment = {
    ...shared,
    DATABASE_ROLE: 'posthorn_ingest',
    PORT: String(port),
    OPERATOR_KEY: operatorKey,
  };
  const service = await startService('ingest', environment, logFile === undefined ? {} : { logFile });
  const url = `http://127.0.0.1:${port}`;
  const seeded = await seed(url, operatorKey);
  return {
    url,
    service,
    ...seeded,
    stop: async () => {
      await service.stop();
    },
  };
}

async function seed(url: string, operatorKey: string): Promise<Pick<FuzzTarget, 'keys' | 'known'>> {
  const post = async (path: string, body: object): Promise<Record<string, string>> => {
    const answer = await request(url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (answer.statusCode >= 300)
      throw new Error(`${path}: ${answer.statusCode} ${await answer.body.text()}`);
    return (await answer.body.json()) as Record<string, string>;
  };
  const keys = [operatorKey];
  const webhooks: string[] = [];
  const events: string[] = [];
  for (const tenant_id of TENANTS) {
    const { api_key } = await post('/v1/tenants', { tenant_id });
    keys.push(api_key!);
    const { webhook_id } = await post('/v1/webhooks', { tenant_id, url: 'https://example.com/hook' });
    webhooks.push(webhook_id!);
    const { event_id } = await post('/v1/events', { tenant_id, type: 'fuzz.seed', payload: {} });
    events.push(event_id!);
  }
  const known = {
    tenant_id: TENANTS,
    tenant: TENANTS,
    webhook_id: webhooks,
    event_id: events,
    delivery_id: events.map((id) => `${id}_0123456789abcdef`),
    attempt_id: events,
    any: [...TENANTS, ...webhooks, ...events, 'default', 'order.created', '1'],
  };
  return { keys, known };
}
