import type { Lookup, TenantConfig } from '@posthorn/tenant-config';
import { createFakeClock } from '@posthorn/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LANE, makeEndpoint, makeSlot, makeTenant, NOW, TENANT } from '../../test/factories.ts';
import { createEndpointLoader, shareOfCap } from './load-endpoint.ts';

function setup(cached: TenantConfig | undefined, lookup?: Lookup) {
  const clock = createFakeClock(NOW);
  const asked: (number | undefined)[] = [];
  const configs = {
    peek: () => cached,
    get: async (_tenantId: string, atLeastRevision?: number) => {
      asked.push(atLeastRevision);
      return lookup ?? ({ kind: 'unavailable', reason: 'away' } as const);
    },
  };
  return { loader: createEndpointLoader({ configs, clock }), asked, clock };
}

const slotFor = (endpointId: string) => makeSlot({ slots: [endpointId] }).slot;

test('an endpoint whose configuration is at hand is ready at once', () => {
  const endpoint = makeEndpoint();
  const tenant = makeTenant([endpoint]);
  const { loader, asked } = setup(tenant);
  expect(loader.load(slotFor(endpoint.endpointId))).toEqual({ kind: 'ready', tenant, endpoint });
  expect(asked).toEqual([]);
});

test('a tenant that is not cached is loaded, at least as of the event', async () => {
  const endpoint = makeEndpoint();
  const config = makeTenant([endpoint]);
  const { loader, asked } = setup(undefined, { kind: 'found', config });
  expect(await loader.load(slotFor(endpoint.endpointId))).toMatchObject({ kind: 'ready', endpoint });
  expect(asked).toEqual([5]);
});

test('an endpoint younger than the copy at hand is looked up again before it is called unknown', async () => {
  const endpoint = makeEndpoint();
  const config = makeTenant([endpoint]);
  const { loader, asked } = setup(makeTenant([], { revision: 4 }), { kind: 'found', config });
  expect(await loader.load(slotFor(endpoint.endpointId))).toMatchObject({ kind: 'ready', endpoint });
  expect(asked).toEqual([5]);
});

test.each(['disabled', 'deleted'] as const)('an endpoint that is %s is cancelled', async (state) => {
  const endpoint = makeEndpoint({ state });
  const { loader } = setup(makeTenant([endpoint]));
  expect(await loader.load(slotFor(endpoint.endpointId))).toEqual({
    kind: 'cancelled',
    reason: `endpoint_${state}`,
  });
});

test('an endpoint or a tenant that nobody knows is cancelled', async () => {
  const unknown = makeEndpoint().endpointId;
  const cancelled = (reason: string) => ({ kind: 'cancelled', reason });
  expect(await setup(makeTenant([])).loader.load(slotFor(unknown))).toEqual(cancelled('endpoint_unknown'));
  const reloaded = setup(undefined, { kind: 'found', config: makeTenant([]) });
  expect(await reloaded.loader.load(slotFor(unknown))).toEqual(cancelled('endpoint_unknown'));
  const nobody = setup(undefined, { kind: 'unknown_tenant' });
  expect(await nobody.loader.load(slotFor(unknown))).toEqual(cancelled('tenant_unknown'));
});

test('a slot whose configuration cannot be had is put aside, and the next ones without asking again', async () => {
  const { loader, asked, clock } = setup(undefined);
  const slot = slotFor(makeEndpoint().endpointId);
  expect(loader.capOf(TENANT, LANE, clock.nowMs())).toBe(1);
  expect(await loader.load(slot)).toEqual({ kind: 'aside', lanes: null });
  expect(loader.capOf(TENANT, LANE, clock.nowMs())).toBeGreaterThan(1);
  expect(await loader.load(slot)).toEqual({ kind: 'aside', lanes: null });
  expect(asked).toHaveLength(1);
});

test('an unavailable tenant is asked about again after a second, by one slot', async () => {
  const { loader, asked, clock } = setup(undefined);
  const slot = slotFor(makeEndpoint().endpointId);
  await loader.load(slot);
  clock.advance(1_000);
  expect(loader.capOf(TENANT, LANE, clock.nowMs())).toBe(1);
  expect(await loader.load(slot)).toMatchObject({ kind: 'aside' });
  clock.advance(2_000);
  await loader.load(slot);
  expect(asked).toHaveLength(2);
});

test('the cap is the quota as of now', () => {
  const tenant = makeTenant([]);
  const { loader } = setup(tenant);
  expect(loader.capOf(TENANT, LANE, NOW)).toBe(50);
});

test('the shares of the lanes of a tenant add up to its cap, and none is without', () => {
  const lanes = fc.uniqueArray(fc.nat(63), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(lanes, fc.integer({ min: 1, max: 500 }), (pinned, cap) => {
      const tenant = makeTenant([], { lanes: pinned });
      const capped = { ...tenant, quotas: { ...tenant.quotas, maxConcurrentDeliveries: cap } };
      const shares = pinned.map((lane) => shareOfCap(capped, lane));
      const sum = shares.reduce((total, share) => total + share, 0);
      expect(sum).toBe(Math.max(cap, pinned.length));
      expect(Math.min(...shares)).toBeGreaterThan(0);
      expect(shareOfCap(capped, 64)).toBe(1);
    }),
  );
});
