import type { TenantEndpointRow, TenantRow } from '@posthorn/db';
import { parseKeyRing } from '@posthorn/secrets';
import { expect, test } from 'vitest';
import { signersOf } from './signers.ts';
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

test('what signs is what the endpoint asks for: secrets first, of each kind the newest first', () => {
  const held = {
    secrets: ['s2', 's1'].map((text) => ({ text, expiresAtMs: null })),
    signingKeys: ['k2', 'k1'].map((text) => ({ text, expiresAtMs: 5 })),
  };
  const texts = (signatures?: ('v1' | 'v1a')[]) =>
    signersOf({ ...held, ...(signatures ? { signatures } : {}) }).map(
      ({ scheme, text }) => `${scheme} ${text}`,
    );
  expect(texts()).toEqual(['v1 s2', 'v1 s1']);
  expect(texts(['v1a'])).toEqual(['v1a k2', 'v1a k1']);
  expect(texts(['v1', 'v1a'])).toEqual(['v1 s2', 'v1 s1', 'v1a k2', 'v1a k1']);
});

test('what an endpoint does not sign with is not opened for it', () => {
  const endpoint = {
    signatures: ['v1a' as const],
    get secrets(): never {
      throw new Error('opened');
    },
    signingKeys: [],
  };
  expect(signersOf(endpoint)).toEqual([]);
});

test('secrets that were not loaded are not taken for none', () => {
  const endpoint = { endpointId: 'ep_1', versions: [] };
  const row = { tenantId: 't', endpoints: [endpoint] } as unknown as TenantRow;
  const config = toTenantConfig(row, null).endpoints.get('ep_1')!;
  for (const part of ['secrets', 'signingKeys', 'headers', 'auth', 'tls'] as const)
    expect(() => config[part], part).toThrow('were not loaded');
});
