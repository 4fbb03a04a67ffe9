import { createFakeClock } from '@posthorn/testkit';
import { expect, it } from 'vitest';
import { createLookupCache, FRESH_MS } from './lookup-cache.ts';

it('believes an answer from when it was asked for, not from when it came', async () => {
  const clock = createFakeClock();
  const cache = createLookupCache<string>({
    isDatabaseUp: () => true,
    reportDatabaseDown: () => undefined,
    clock,
    maxEntries: 10,
    maxAgeMs: 60_000,
  });
  const slow = Promise.withResolvers<string | null>();
  const first = cache.find('a', () => slow.promise);
  // It is taken away while the answer that still has it is on its way.
  clock.advance(900);
  slow.resolve('there');
  expect(await first).toEqual({ kind: 'found', value: 'there' });
  clock.advance(FRESH_MS - 899);
  expect(await cache.find('a', async () => null)).toEqual({ kind: 'absent' });
});
