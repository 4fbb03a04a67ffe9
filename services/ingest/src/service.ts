import type { AddressInfo } from 'node:net';
import { hashKey, OPERATOR_TENANT_ID, topicSpecs } from '@posthorn/contracts';
import { type Database, isHeldByRowSecurity } from '@posthorn/db';
import { refuseUnsafeTopics } from '@posthorn/kafka';
import { createAdminPart, createLifecycle, type Lifecycle, type Logger, type Part } from '@posthorn/runtime';
import type { TenantConfigs } from '@posthorn/tenant-config';
import { actWithin } from './access/act-within.ts';
import type { IngestConfig } from './config.ts';
import { createApp } from './http/app.ts';
import { createIngestMetrics } from './metrics.ts';
import { type IngestOptions, openResources } from './open-resources.ts';
import type { Store } from './store.ts';
import { healthChecks, wireApp } from './wire-app.ts';

export interface Ingest {
  readonly lifecycle: Lifecycle;
  /** Where the API is served; undefined before the start. */
  readonly port: number | undefined;
}

/** Ingest: the HTTP API, and the producer of `events` and `replay`. */
export function createIngest(options: IngestOptions): Ingest {
  const { config, log } = options;
  const ingestMetrics = createIngestMetrics(options.metrics);
  const resources = openResources(options, ingestMetrics);
  const isReady = (): boolean => lifecycle.mode === 'running';
  const app = createApp(wireApp(options, resources, ingestMetrics, isReady));
  const { database, lookups, claims, store, configs, client, admin, producer, journal, kafka, postgres } =
    resources;
  const { catalogue, payloadChecks, agent } = resources;
  // Stopped from the end: first no request is taken any more, then those under way end, then connections close.
  const parts: Part[] = [
    { name: 'tracing', stop: () => options.tracing.stop() },
    {
      name: 'postgres',
      stop: async () => void (await Promise.all([database, lookups, claims].map((each) => each.close()))),
    },
    createAdminPart({
      host: config.adminHost,
      port: config.adminPort,
      log,
      metrics: options.metrics,
      checks: healthChecks(resources),
      isReady,
    }),
    {
      name: 'topics',
      start: () => refuseUnsafeTopics(client, topicSpecs(config)),
      stop: () => admin.close(),
    },
    {
      name: 'operator key',
      start: () => actWithin(null, () => addOperatorKey(store, config, log)),
    },
    { name: 'row security', start: () => tellUnheld(database, log) },
    { name: 'postgres watch', start: () => postgres.start(), stop: () => postgres.stop() },
    { name: 'tenant configuration', start: () => startConfigs(configs), stop: () => configs.stop() },
    { name: 'event types', start: () => catalogue.start(), stop: () => catalogue.stop() },
    { name: 'payload checks', stop: () => payloadChecks.stop() },
    { name: 'agent', stop: () => agent.close() },
    { name: 'producer', start: () => producer.start(), stop: () => producer.stop() },
    { name: 'journal', stop: () => journal.stop() },
    { name: 'kafka watch', start: () => kafka.start(), stop: () => kafka.stop() },
    {
      name: 'http',
      async start() {
        const address = await app.listen({ host: config.host, port: config.port });
        log.info({ address }, 'api listening');
      },
      stop: () => app.close(),
    },
  ];
  const lifecycle = createLifecycle(parts, log);
  return {
    lifecycle,
    get port() {
      return (app.server.address() as AddressInfo | null)?.port;
    },
  };
}

/** The operator's own is needed for the second stamp of every event, also when Postgres goes away later. */
async function startConfigs(configs: TenantConfigs): Promise<void> {
  await configs.start();
  await configs.get(OPERATOR_TENANT_ID);
}

async function addOperatorKey(store: Store, config: IngestConfig, log: Logger): Promise<void> {
  if (config.operatorKey !== '') {
    const keyHash = hashKey(config.operatorKey);
    await store.addOperatorKey({ keyId: `key_${keyHash.toString('hex', 0, 8)}`, keyHash });
  } else if ((await store.countOperatorKeys()) === 0) {
    log.warn({}, 'there is no operator key: make one with posthorn keys create-operator');
  }
}

/** Nothing waits for it: ingest starts without Postgres too. */
function tellUnheld({ sql }: Database, log: Logger): void {
  isHeldByRowSecurity(sql).then(
    (isHeld) => {
      if (!isHeld) log.warn({}, 'row security does not hold for the login of ingest: see DATABASE_ROLE');
    },
    () => undefined,
  );
}
