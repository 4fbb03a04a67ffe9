import type { TenantEndpointRow, TenantRow } from '@posthorn/db';
import { parseKeyRing } from '@posthorn/secrets';
import { expect, test } from 'vitest';
import { toTenantConfig } from './tenant-config.ts';

const key = parseKeyRing(Buffer.alloc(32, 1).toString('base64'));

test('a configuration has what its rows say of lanes, cancellations, pauses and limits', () => {
  const limits = { maxConcurrency: 3, maxPerSec: 5, maxRetryMs: 60_000 };
  const endpoint: TenantEndpointRow = {
    ...limits,
    endpointId: 'ep_1',
    url: 'https://example.com',
    state: 'paused',
    stateReason: 'person',
    pauseMode: 'hold',
    sealedSecrets: ['sealed with another key'],
    secretsExpireAtMs: [],
    method: 'PUT',
    sealedHeaders: { 'x-token': 'sealed with another key' },
    retryScheduleMs: null,
    attemptTimeoutMs: null,
    versions: [],
  };
  const row: TenantRow = {
    tenantId: 't',
    name: '',
    revision: 9,
    lanes: [2, 4],
    drainingLanes: [3],
    lanesRevision: 8,
    cancellations: [{ revision: 7, endpointId: null, eventId: null }],
    retentionDays: 30,
    quotas: {
      maxEventsPerSec: 1,
      maxConcurrentDeliveries: 3,
      maxDlqSize: 1,
      maxWebhooks: 1,
      dlqPolicy: 'warn',
    },
    endpoints: [endpoint],
  };
  const config = toTenantConfig(row, key);
  expect(config).toMatchObject({ drainingLanes: [3], lanesRevision: 8, cancellations: row.cancellations });
  const made = config.endpoints.get('ep_1')!;
  expect(made).toMatchObject({
    ...limits,
    state: 'paused',
    pauseMode: 'hold',
    stateReason: 'person',
    method: 'PUT',
  });
  expect(() => made.secrets).toThrow();
  expect(() => made.headers).toThrow();
});
