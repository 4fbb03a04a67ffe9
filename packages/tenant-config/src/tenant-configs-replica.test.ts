import { describe, expect, test } from 'vitest';
import { revisionOf, setup } from '../test/fake-store.ts';

describe('a replica', () => {
  test('is fresh for less time than others wait for it, and polls before it answers when it is not', async () => {
    const { store, clock, configs } = setup({ replicaId: 'r' });
    store.change('a');
    expect(configs.fresh).toBe(false);
    await configs.poll();
    await configs.get('a');
    expect(configs.fresh).toBe(true);
    clock.advance(1_899);
    expect(configs.fresh).toBe(true);
    clock.advance(1);
    expect(configs.fresh).toBe(false);
    const change = store.change('a');
    expect(await revisionOf(configs, 'a')).toBe(change);
    expect(configs.fresh).toBe(true);
  });

  test('goes on with what it has when it is not fresh because Postgres is away', async () => {
    const { store, clock, configs } = setup({ replicaId: 'r' });
    store.change('a');
    await configs.poll();
    await configs.get('a');
    store.setAway(true);
    clock.advance(5_000);
    expect(await revisionOf(configs, 'a')).toBe(1);
    expect(configs.fresh).toBe(false);
  });

  test('reports what it has applied, never more', async () => {
    const { store, configs } = setup({ replicaId: 'r' });
    store.change('a');
    await configs.poll();
    store.change('a');
    await configs.poll();
    await configs.poll();
    expect(store.reported).toEqual([1, 1, 2]);
  });

  test('tells when a change is applied here and by the others', async () => {
    const { store, configs } = setup({ replicaId: 'r' });
    await configs.poll();
    const change = store.change('a');
    store.setOthers(change - 1);
    let done = false;
    const applied = configs.whenApplied(change).then((value) => {
      done = true;
      return value;
    });
    await configs.poll();
    expect(done).toBe(false);
    store.setOthers(change);
    await configs.poll();
    expect(await applied).toBe(true);
  });

  test('does not wait for ever for the others', async () => {
    const { store, configs } = setup({ replicaId: 'r' });
    store.setOthers(0);
    const change = store.change('a');
    expect(await configs.whenApplied(change, 1)).toBe(false);
  });
});
