import { sealSecret } from '@posthorn/secrets';
import { describe, expect, test } from 'vitest';
import { endpoint, keyRing, revisionOf, setup } from '../test/fake-store.ts';
import { headerField, SIGNING_SECRET_FIELD } from './sealed-parts.ts';
import { UNKNOWN_TENANT_TTL_MS } from './tenant-configs.ts';

describe('a look-up', () => {
  test('of many tenants in one turn is one query, and of the same tenant one load', async () => {
    const { store, configs } = setup();
    store.change('a');
    store.change('b');
    await configs.poll();
    await Promise.all([configs.get('a'), configs.get('b'), configs.get('a')]);
    expect(store.loads).toEqual([['a', 'b']]);
  });

  test('is answered from the cache, which peek shows without asking', async () => {
    const { store, configs } = setup();
    store.change('a');
    await configs.poll();
    expect(configs.peek('a')).toBeUndefined();
    await configs.get('a');
    await configs.get('a');
    expect(configs.peek('a')?.revision).toBe(1);
    expect(store.loads).toHaveLength(1);
  });

  test('loads again when the cached revision is older than asked for', async () => {
    const { store, configs } = setup();
    store.change('a');
    await configs.poll();
    await configs.get('a');
    const change = store.change('a');
    expect(await revisionOf(configs, 'a', change)).toBe(change);
    expect(await revisionOf(configs, 'a', change + 1)).toBe('unavailable');
  });

  test('believes for a moment that a tenant is unknown, until a change names it', async () => {
    const { store, clock, configs } = setup();
    await configs.poll();
    expect(await revisionOf(configs, 'a')).toBe('unknown_tenant');
    const change = store.change('a');
    expect(await revisionOf(configs, 'a')).toBe('unknown_tenant');
    expect(store.loads).toHaveLength(1);
    await configs.poll();
    expect(await revisionOf(configs, 'a')).toBe(change);
    expect(await revisionOf(configs, 'b')).toBe('unknown_tenant');
    store.change('b');
    clock.advance(UNKNOWN_TENANT_TTL_MS);
    expect(await revisionOf(configs, 'b')).toBe(2);
  });

  test('of a revision that was stamped is not told that the tenant is unknown without a query', async () => {
    const { store, configs } = setup();
    await configs.poll();
    await configs.get('a');
    const change = store.change('a');
    expect(await revisionOf(configs, 'a', change)).toBe(change);
  });
});

describe('a poll', () => {
  test('brings cached tenants up to date before it counts as applied', async () => {
    const { store, configs } = setup();
    store.change('a');
    await configs.poll();
    await configs.get('a');
    const change = store.change('a');
    store.change('never asked for');
    await configs.poll();
    expect(configs.peek('a')?.revision).toBe(change);
    expect(configs.applied).toBe(change + 1);
    expect(store.loads).toEqual([['a'], ['a']]);
  });

  test('that sees a change while an older answer is on its way has it loaded again', async () => {
    const { store, configs } = setup();
    store.change('a');
    await configs.poll();
    const release = store.hold();
    const lookup = configs.get('a');
    await new Promise(setImmediate);
    expect(store.loads).toHaveLength(1);
    const change = store.change('a');
    await configs.poll();
    expect(configs.applied).toBe(change);
    release();
    expect(await lookup).toMatchObject({ kind: 'found', config: { revision: change } });
  });

  test('the first of all forgets what was loaded before it', async () => {
    const { store, configs } = setup();
    store.change('a');
    await configs.get('a');
    await configs.poll();
    expect(configs.peek('a')).toBeUndefined();
  });

  test('starts over when the sequence went back, as after a restore', async () => {
    const { store, configs, warnings } = setup();
    store.change('a');
    store.change('a');
    await configs.poll();
    await configs.get('a');
    store.restore(1);
    await configs.poll();
    expect(configs.peek('a')).toBeUndefined();
    expect(configs.applied).toBe(1);
    expect(warnings).toHaveLength(1);
  });
});

describe('with Postgres away', () => {
  test('cached tenants are served up to their age, others are unavailable', async () => {
    const { store, clock, configs, warnings } = setup({ maxAgeMs: 60_000 });
    store.change('a');
    await configs.poll();
    await configs.get('a');
    store.setAway(true);
    expect(await configs.poll()).toBe(false);
    expect(await revisionOf(configs, 'a')).toBe(1);
    expect(await revisionOf(configs, 'b')).toBe('unavailable');
    clock.advance(60_001);
    await configs.poll();
    expect(configs.peek('a')).toBeUndefined();
    expect(await revisionOf(configs, 'a')).toBe('unavailable');
    expect(warnings).toHaveLength(1);
  });

  test('from the start nothing is applied, and all is well once it answers', async () => {
    const { store, configs } = setup();
    store.setAway(true);
    await configs.start();
    expect(configs.applied).toBe(-1);
    store.setAway(false);
    const change = store.change('a');
    await configs.poll();
    expect(configs.applied).toBe(change);
    expect(await revisionOf(configs, 'a')).toBe(change);
    await configs.stop();
  });

  test('a change that cannot be loaded is not applied, and is when it can', async () => {
    const { store, configs } = setup();
    store.change('a');
    await configs.poll();
    await configs.get('a');
    const change = store.change('a');
    const load = store.source.load;
    store.source.load = async () => {
      throw new Error('gone between the two');
    };
    expect(await configs.poll()).toBe(false);
    expect(configs.applied).toBe(change - 1);
    store.source.load = load;
    expect(await configs.poll()).toBe(true);
    expect(configs.peek('a')?.revision).toBe(change);
  });
});

test('the cache is bounded by endpoints and keeps what was used', async () => {
  const { store, configs } = setup({ maxEndpoints: 4 });
  for (const id of ['a', 'b', 'c']) store.change(id, [endpoint(`${id}1`), endpoint(`${id}2`)]);
  await configs.poll();
  await configs.get('a');
  await configs.get('b');
  await configs.get('c');
  expect(configs.stats()).toMatchObject({ tenants: 2, endpoints: 4, evictions: 1 });
  const kept = ['a', 'b'].find((id) => configs.peek(id) !== undefined)!;
  const lost = kept === 'a' ? 'b' : 'a';
  expect(await revisionOf(configs, lost)).toBe(lost === 'a' ? 1 : 2);
});

test("an endpoint's secrets and headers are opened when they are looked at", async () => {
  const { store, configs } = setup();
  const sealedFor = { tenantId: 'a', endpointId: 'ep', field: SIGNING_SECRET_FIELD };
  const sealed = ['new', 'old'].map((secret) => sealSecret(keyRing, sealedFor, secret));
  const header = sealSecret(keyRing, { ...sealedFor, field: headerField('x-token') }, 'value');
  store.change('a', [
    {
      ...endpoint('ep', sealed),
      secretsExpireAtMs: [null, 5_000],
      sealedHeaders: { 'x-token': header },
    },
    { ...endpoint('broken', ['v1.0123abcd.AAAA.AAAA']), sealedHeaders: { 'x-other': header } },
  ]);
  await configs.poll();
  const lookup = await configs.get('a');
  if (lookup.kind !== 'found') throw new Error(lookup.kind);
  const [whole, broken] = [...lookup.config.endpoints.values()];
  expect(whole!.secrets).toEqual([
    { text: 'new', expiresAtMs: null },
    { text: 'old', expiresAtMs: 5_000 },
  ]);
  expect(whole!.headers).toEqual([['x-token', 'value']]);
  expect(() => broken!.secrets).toThrow('sealed with key 0123abcd');
  expect(() => broken!.headers).toThrow('belongs to another row');
});
