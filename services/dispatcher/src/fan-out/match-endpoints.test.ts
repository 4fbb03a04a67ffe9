import { type EventMeta, mintEndpointId, routedEvent } from '@posthorn/contracts';
import type { TenantConfig } from '@posthorn/tenant-config';
import { expect, test } from 'vitest';
import { eventMeta, tenantConfig } from '../../test/fakes.ts';
import { matchEndpoints as match } from './match-endpoints.ts';

const matchEndpoints = (config: TenantConfig, event: EventMeta) =>
  match(config, event, routedEvent(event, Buffer.from('{}')));

test('an endpoint matches by the version that was valid at the event, not by the newest', () => {
  const [endpoint] = tenantConfig(1).endpoints.values();
  const version = (validFrom: number, validUntil: number | null, eventTypes: string[]) => ({
    validFrom,
    validUntil,
    eventTypes,
    labels: {},
  });
  const versions = [version(2, 4, ['order.*']), version(4, null, ['user.*'])];
  const config = tenantConfig(0, {
    endpoints: new Map([[endpoint!.endpointId, { ...endpoint!, versions }]]),
  });
  const matchedAt = (revision: number) => matchEndpoints(config, eventMeta({ revision })).length;
  expect([1, 2, 3, 4, 5].map(matchedAt)).toEqual([0, 1, 1, 0, 0]);
});

test('an event for chosen endpoints goes to those of its tenant, whatever they subscribed to', () => {
  const config = tenantConfig(3);
  const [first, second, third] = [...config.endpoints.values()];
  const deaf = { ...second!, versions: [] };
  const endpoints = new Map([first!, deaf, third!].map((each) => [each.endpointId, each]));
  const only = [deaf.endpointId, mintEndpointId(0)];
  expect(matchEndpoints({ ...config, endpoints }, eventMeta({ only }))).toEqual([deaf.endpointId]);
});
