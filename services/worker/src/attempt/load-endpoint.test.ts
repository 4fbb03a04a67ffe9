import type { Lookup, TenantConfig } from '@posthorn/tenant-config';
import { createFakeClock } from '@posthorn/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LANE, makeEndpoint, makeSlot, makeTenant, NOW, TENANT } from '../../test/factories.ts';
import { createGoneEndpoints } from './gone-endpoints.ts';
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
  const gone = createGoneEndpoints();
  const open = new Set<string>();
  const breaker = { isOpen: (endpointId: string) => open.has(endpointId) };
  return { loader: createEndpointLoader({ configs, clock, gone, breaker }), asked, clock, gone, open };
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
  const { loader, asked } = setup(undefined);
  const slot = slotFor(makeEndpoint().endpointId);
  expect(loader.capOf(TENANT, LANE)).toBe(1);
  expect(await loader.load(slot)).toEqual({ kind: 'aside', reason: 'unavailable', lanes: null });
  expect(loader.capOf(TENANT, LANE)).toBeGreaterThan(1);
  expect(await loader.load(slot)).toEqual({ kind: 'aside', reason: 'unavailable', lanes: null });
  expect(asked).toHaveLength(1);
});

test('an unavailable tenant is asked about again after a second, by one slot', async () => {
  const { loader, asked, clock } = setup(undefined);
  const slot = slotFor(makeEndpoint().endpointId);
  await loader.load(slot);
  clock.advance(1_000);
  expect(loader.capOf(TENANT, LANE)).toBe(1);
  expect(await loader.load(slot)).toMatchObject({ kind: 'aside' });
  clock.advance(2_000);
  await loader.load(slot);
  expect(asked).toHaveLength(2);
});

test('the cap is the quota as of now', () => {
  const tenant = makeTenant([]);
  const { loader } = setup(tenant);
  expect(loader.capOf(TENANT, LANE)).toBe(50);
});

test('the shares of a tenant over its lanes, those that still drain included, add up to its cap', () => {
  const lanes = fc.uniqueArray(fc.nat(20), { minLength: 1, maxLength: 8 });
  const draining = fc.uniqueArray(fc.nat(20), { maxLength: 4 });
  fc.assert(
    fc.property(lanes, draining, fc.integer({ min: 1, max: 500 }), (pinned, drainingLanes, cap) => {
      const tenant = makeTenant([], { lanes: pinned, drainingLanes });
      const capped = { ...tenant, quotas: { ...tenant.quotas, maxConcurrentDeliveries: cap } };
      const sharing = [...new Set([...pinned, ...drainingLanes])];
      const shares = sharing.map((lane) => shareOfCap(capped, lane));
      const sum = shares.reduce((total, share) => total + share, 0);
      expect(sum).toBe(Math.max(cap, sharing.length));
      expect(Math.min(...shares)).toBeGreaterThan(0);
      expect(shareOfCap(capped, 64)).toBe(1);
    }),
  );
});

test('a paused endpoint puts its slots aside, to come back to the lanes its tenant has', async () => {
  const endpoint = makeEndpoint({ state: 'paused', pauseMode: 'hold' });
  const { loader } = setup(makeTenant([endpoint], { lanes: [4] }));
  expect(await loader.load(slotFor(endpoint.endpointId))).toEqual({
    kind: 'aside',
    reason: 'paused',
    lanes: [4],
  });
});

test.each([
  ['gone', /410/],
  ['auto_disabled', /failed for too long/],
])('what waits for an endpoint that was disabled as %s is a dead letter', async (stateReason, detail) => {
  const endpoint = makeEndpoint({ state: 'disabled', stateReason });
  const { loader } = setup(makeTenant([endpoint]));
  const loaded = await loader.load(slotFor(endpoint.endpointId));
  expect(loaded).toEqual({ kind: 'gone', detail: expect.stringMatching(detail), lanes: [LANE] });
});

test.each([null, 'person'])(
  'what waits for an endpoint disabled by a person (%j) is cancelled',
  async (stateReason) => {
    const endpoint = makeEndpoint({ state: 'disabled', stateReason });
    const { loader } = setup(makeTenant([endpoint]));
    expect(await loader.load(slotFor(endpoint.endpointId))).toEqual({
      kind: 'cancelled',
      reason: 'endpoint_disabled',
    });
  },
);

test('an endpoint that answered 410 is gone here at once, until its URL changes or a minute has passed', async () => {
  const endpoint = makeEndpoint();
  const { loader, gone, clock } = setup(makeTenant([endpoint]));
  gone.add(endpoint, clock.nowMs());
  expect(await loader.load(slotFor(endpoint.endpointId))).toMatchObject({ kind: 'gone' });
  clock.advance(60_000);
  expect(await loader.load(slotFor(endpoint.endpointId))).toMatchObject({ kind: 'ready' });
});

test('a delivery that was cancelled by request is, whether or not its endpoint is active', async () => {
  for (const state of ['active', 'paused'] as const) {
    const endpoint = makeEndpoint({ state });
    const cancellation = { revision: 6, endpointId: endpoint.endpointId, eventId: null };
    const { loader } = setup(makeTenant([endpoint], { revision: 6, cancellations: [cancellation] }));
    expect(await loader.load(slotFor(endpoint.endpointId))).toEqual({
      kind: 'cancelled',
      reason: 'cancelled_by_request',
    });
  }
});

test('what was accepted after a cancellation is not cancelled by it', async () => {
  const endpoint = makeEndpoint();
  const cancellation = { revision: 5, endpointId: null, eventId: null };
  const { loader } = setup(makeTenant([endpoint], { cancellations: [cancellation] }));
  expect(await loader.load(slotFor(endpoint.endpointId))).toMatchObject({ kind: 'ready' });
});

test('the limits of an endpoint are those of its configuration, with the host of its URL', () => {
  const endpoint = makeEndpoint({ url: 'https://receiver.example:8443/a', maxConcurrency: 3, maxPerSec: 7 });
  const { loader } = setup(makeTenant([endpoint]));
  expect(loader.limitsOf(TENANT, endpoint.endpointId)).toEqual({
    maxConcurrency: 3,
    maxPerSec: 7,
    host: 'receiver.example:8443',
  });
  expect(loader.limitsOf(TENANT, 'ep_unknown')).toBeNull();
  expect(setup(undefined).loader.limitsOf(TENANT, endpoint.endpointId)).toBeNull();
});

test('what only moves to a tier does not wait for the rate of its endpoint', () => {
  const paused = makeEndpoint({ state: 'paused', maxPerSec: 1 });
  const failing = makeEndpoint({ maxPerSec: 1 });
  const { loader, open } = setup(makeTenant([paused, failing]));
  expect(loader.limitsOf(TENANT, paused.endpointId)).toMatchObject({ maxPerSec: null });
  expect(loader.limitsOf(TENANT, failing.endpointId)).toMatchObject({ maxPerSec: 1 });
  open.add(failing.endpointId);
  expect(loader.limitsOf(TENANT, failing.endpointId)).toMatchObject({ maxPerSec: null });
});
