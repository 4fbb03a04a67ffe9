import type { EndpointConfig, Lookup, TenantConfig } from '@posthorn/tenant-config';
import { expect, test } from 'vitest';
import { systemStamp } from './system-stamp.ts';

const operator = (scope: 'tenant' | 'all_tenants'): TenantConfig => {
  const versions = [{ validFrom: 1, validUntil: null, eventTypes: ['*'], labels: {} }];
  const endpoint = { endpointId: 'ep', scope, versions } as unknown as EndpointConfig;
  return { revision: 12, endpoints: new Map([['ep', endpoint]]) } as unknown as TenantConfig;
};
const lookedUp = (lookup: Lookup) => ({ peek: () => undefined, get: async () => lookup });
const cached = (config: TenantConfig) => ({
  peek: () => config,
  get: () => Promise.reject(new Error('looked up')),
});

test('an event is stamped with the revision of the operator while it has system endpoints, without waiting', () => {
  expect(systemStamp(cached(operator('all_tenants')))).toEqual({ kind: 'stamp', revision: 12 });
  expect(systemStamp(cached(operator('tenant')))).toEqual({ kind: 'stamp', revision: null });
});

test('what is not cached is waited for', async () => {
  const found = lookedUp({ kind: 'found', config: operator('all_tenants') });
  expect(await systemStamp(found)).toEqual({ kind: 'stamp', revision: 12 });
  expect(await systemStamp(lookedUp({ kind: 'unknown_tenant' }))).toEqual({ kind: 'stamp', revision: null });
});

test('an event that cannot be stamped is refused, since it would miss them', async () => {
  const away = lookedUp({ kind: 'unavailable', reason: 'away' });
  expect(await systemStamp(away)).toMatchObject({ kind: 'problem', code: 'tenant_unavailable' });
});
