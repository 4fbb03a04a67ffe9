import { createLogger } from '@posthorn/runtime';
import { createFakeClock } from '@posthorn/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import { createPayloadChecks, SLOW_TENANT_MS } from './payload-checks.ts';

// Real threads: what is held here is that nothing hostile reaches further than its thread.
const clock = createFakeClock();
const observed: string[] = [];
const logged: { readonly tenant_id?: string }[] = [];
const log = createLogger('test', 'info', { write: (line) => void logged.push(JSON.parse(line)) });
const checks = createPayloadChecks({
  log,
  clock,
  // Long enough for what is plain on a machine that is busy with other tests.
  checkDeadlineMs: 300,
  observe: (outcome) => void observed.push(outcome),
});
afterAll(() => checks.stop());

const check = (tenantId: string, schema: unknown, payload: string) => {
  const text = JSON.stringify(schema);
  return checks.check(
    tenantId,
    { name: 'order.created', schemaKey: text, schema: text },
    Buffer.from(payload),
  );
};
const PLAIN = { type: 'object', required: ['id'] };

/** Each definition asks for the next one twice. */
const doubling = (depth: number) => ({
  $ref: '#/$defs/d0',
  $defs: Object.fromEntries(
    Array.from({ length: depth + 1 }, (_, i) => [
      `d${i}`,
      i === depth
        ? { type: 'object' }
        : { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
    ]),
  ),
});

describe('a payload that would take years to check', () => {
  it('holds up neither the event loop nor, for longer than once, its neighbours', async () => {
    expect(await check('neighbour', PLAIN, '{"id":1}')).toEqual({ kind: 'fits' });
    const hostile = check('hostile', doubling(40), '{}');
    let turns = 0;
    const turning = setInterval(() => {
      turns += 1;
    }, 2);
    expect(await hostile).toEqual({ kind: 'not_checked', reason: 'timeout' });
    clearInterval(turning);
    expect(turns).toBeGreaterThan(10);
    expect(await check('neighbour', PLAIN, '{}')).toMatchObject({ kind: 'faults' });
    // From now on it is apart: its next one is under way while the neighbour is served.
    const again = check('hostile', doubling(40), '{}');
    let isOver = false;
    void again.then(() => {
      isOver = true;
    });
    expect(await check('neighbour', PLAIN, '{"id":1}')).toEqual({ kind: 'fits' });
    expect(isOver).toBe(false);
    expect(await again).toMatchObject({ kind: 'not_checked' });
    clock.advance(SLOW_TENANT_MS);
    expect(await check('hostile', PLAIN, '{"id":1}')).toEqual({ kind: 'fits' });
    expect(observed).toContain('timeout');
    expect(logged.filter((line) => line.tenant_id === 'hostile')).toEqual([
      expect.objectContaining({ level: 'warn', event_type: 'order.created' }),
    ]);
  });
});

describe('what a schema may ask for', () => {
  const unique = `[${Array.from({ length: 20_000 }, (_, i) => `{"a":{"b":[${i}]}}`).join(',')}]`;
  const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;

  it.each([
    ['that 20,000 objects differ', { uniqueItems: true }, unique],
    ['any of many forms at each of many levels', anyOfLevels(14), JSON.stringify(nested(14))],
  ])('%s ends at its deadline', async (name, schema, payload) => {
    expect(await check(name, schema, payload)).toMatchObject({ kind: 'not_checked' });
  });

  it('to follow a payload to its depth ends in an answer, whichever', async () => {
    const outcome = await check('deep', { items: { $ref: '#' } }, deep);
    expect(['fits', 'not_checked']).toContain(outcome.kind);
    expect(await check('after', PLAIN, '{"id":1}')).toEqual({ kind: 'fits' });
  });

  it('a pattern that backtracks elsewhere is found wanting at once', async () => {
    expect(
      await check('pattern', { pattern: '^(a+)+$' }, JSON.stringify(`${'a'.repeat(30_000)}!`)),
    ).toMatchObject({
      kind: 'faults',
    });
  });
});

function anyOfLevels(levels: number): object {
  const branch = { properties: { a: { $ref: '#' } }, required: ['a'], minProperties: 2 };
  return { anyOf: Array.from({ length: levels }, () => branch) };
}

function nested(levels: number): object {
  return levels === 0 ? {} : { a: nested(levels - 1) };
}
