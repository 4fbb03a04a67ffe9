import { createLogger } from '@posthorn/runtime';
import { describe, expect, it } from 'vitest';
import { createEventCatalogue } from './event-catalogue.ts';

const ROW = {
  name: 'order.created',
  state: 'active' as const,
  enforcement: 'warn' as const,
  version: 1,
  schema: '{"type":"object"}',
  examples: '[{"n": 1},{"n":2}]',
};

function setup() {
  const state = { revision: 1, rows: [ROW], isAway: false, loads: 0 };
  const logged: string[] = [];
  const log = createLogger('test', 'info', { write: (line) => void logged.push(JSON.parse(line).msg) });
  const answer = async <T>(value: T): Promise<T> => {
    if (state.isAway) throw new Error('away');
    return value;
  };
  const source = {
    revision: () => answer(state.revision),
    load: () => {
      state.loads += 1;
      return answer(state.rows);
    },
  };
  return { state, logged, catalogue: createEventCatalogue({ source, log }) };
}

describe('the catalogue of event types', () => {
  it('knows nothing before it was read, and then all of it', async () => {
    const { catalogue } = setup();
    expect([catalogue.loaded, catalogue.find(ROW.name)]).toEqual([false, undefined]);
    await catalogue.poll();
    expect([catalogue.loaded, catalogue.size]).toEqual([true, 1]);
    const { examples: _examples, ...entry } = ROW;
    expect(catalogue.find(ROW.name)).toEqual({ ...entry, schemaKey: expect.any(String), example: '{"n":1}' });
  });

  it('is read again when its revision moves, and only then', async () => {
    const { state, catalogue } = setup();
    await catalogue.poll();
    await catalogue.poll();
    expect(state.loads).toBe(1);
    const before = catalogue.find(ROW.name)!.schemaKey;
    state.rows = [{ ...ROW, schema: '{}' }];
    state.revision = 2;
    await catalogue.poll();
    expect(catalogue.find(ROW.name)?.schema).toBe('{}');
    expect(catalogue.find(ROW.name)?.schemaKey).not.toBe(before);
  });

  it('serves what it knows while Postgres is away, and says so once', async () => {
    const { state, logged, catalogue } = setup();
    await catalogue.poll();
    state.isAway = true;
    expect([await catalogue.poll(), await catalogue.poll()]).toEqual([false, false]);
    expect(catalogue.find(ROW.name)).toBeDefined();
    state.isAway = false;
    expect(await catalogue.poll()).toBe(true);
    expect(logged).toEqual([
      'event types cannot be read, serving what is known',
      'event types are current again',
    ]);
  });

  it('reads again what could not be loaded', async () => {
    const { state, catalogue } = setup();
    state.rows = null as never;
    expect(await catalogue.poll()).toBe(false);
    state.rows = [ROW];
    expect(await catalogue.poll()).toBe(true);
    expect(catalogue.size).toBe(1);
  });

  it('answers a call with a poll that began after it', async () => {
    const { state, catalogue } = setup();
    const first = catalogue.poll();
    state.revision = 2;
    state.rows = [];
    await Promise.all([first, catalogue.poll()]);
    expect(catalogue.size).toBe(0);
  });

  it('has no example of a type whose examples are broken', async () => {
    const { state, catalogue } = setup();
    state.rows = [
      { ...ROW, examples: '{' },
      { ...ROW, name: 'b', examples: '[]' },
    ];
    await catalogue.poll();
    expect([catalogue.find(ROW.name)?.example, catalogue.find('b')?.example]).toEqual([null, null]);
  });
});
