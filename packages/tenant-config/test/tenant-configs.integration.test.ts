import { mintEndpointId } from '@posthorn/contracts';
import { createEndpoint, createTenant, type Database, openDatabase } from '@posthorn/db';
import { systemClock } from '@posthorn/runtime';
import { parseKeyRing, sealSecret } from '@posthorn/secrets';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createTenantConfigs,
  matchingEndpoints,
  SIGNING_SECRET_FIELD,
  type TenantConfigs,
} from '../src/index.ts';

const keyRing = parseKeyRing(Buffer.alloc(32, 1).toString('base64'));
const quiet = { info() {}, warn() {} } as never;

let database: Database;
const started: TenantConfigs[] = [];
beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 6, applicationName: 'test' });
});
afterAll(async () => {
  await Promise.all(started.map((configs) => configs.stop()));
  await database.close();
});

async function start(replicaId?: string): Promise<TenantConfigs> {
  const configs = createTenantConfigs({
    database,
    keyRing,
    log: quiet,
    clock: systemClock,
    ...(replicaId ? { replicaId } : { pollIntervalMs: 60_000 }),
  });
  started.push(configs);
  await configs.start();
  return configs;
}

test('an endpoint is applied by every replica when its change is confirmed, and matched from then on', async () => {
  const [first, second, dispatcher] = await Promise.all([start('first'), start('second'), start()]);
  const tenant = await createTenant(database.sql, { tenantId: 't', name: '', lanes: [2], retentionDays: 7 });
  if (tenant.kind !== 'created') throw new Error(tenant.kind);
  expect(await first.whenApplied(tenant.change)).toBe(true);
  expect(await second.get('t')).toMatchObject({ kind: 'found', config: { lanes: [2], retentionDays: 7 } });
  await dispatcher.get('t');

  const endpointId = mintEndpointId(Date.now());
  const sealed = sealSecret(keyRing, { tenantId: 't', endpointId, field: SIGNING_SECRET_FIELD }, 'whsec_x');
  const created = await createEndpoint(database.sql, 't', {
    endpointId,
    url: 'https://example.com',
    description: '',
    eventTypes: ['order.*'],
    labels: {},
    sealedSecrets: [sealed],
    retryScheduleMs: null,
    attemptTimeoutMs: null,
  });
  if (created.kind !== 'created') throw new Error(created.kind);
  expect(await first.whenApplied(created.change)).toBe(true);

  expect(second.applied).toBeGreaterThanOrEqual(created.change);
  expect(second.fresh).toBe(true);
  const config = second.peek('t')!;
  const event = { type: 'order.created', labels: {}, payload: () => undefined };
  expect(matchingEndpoints(config, event, config.revision)).toEqual([endpointId]);
  expect(matchingEndpoints(config, event, created.change - 1)).toEqual([]);
  expect(config.endpoints.get(endpointId)!.secrets).toEqual([{ text: 'whsec_x', expiresAtMs: null }]);

  expect(dispatcher.peek('t')!.revision).toBe(tenant.change);
  expect(await dispatcher.get('t', created.change)).toMatchObject({ config: { revision: created.change } });
});
