import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createReleaseRate } from './release-rate.ts';

const setup = (perSec = 500, maxTenants = 100) => createReleaseRate({ perSec, maxTenants });

test('a burst of one second leaves at once, what is over it waits a second at least', () => {
  const rate = setup(500);
  const waits = Array.from({ length: 501 }, () => rate.admit('acme', 1, 0, 0));
  expect(waits.slice(0, 500).every((waitMs) => waitMs === 0)).toBe(true);
  expect(waits[500]).toBe(1_000);
});

test.each([
  [0, 1_000],
  [1, 2_000],
  [4, 16_000],
  [30, 256_000],
])('who was told %d times before waits %d ms at least', (crowded, waitMs) => {
  const rate = setup(1);
  rate.admit('acme', 1, 0, 0);
  expect(rate.admit('acme', 1, crowded, 0)).toBe(waitMs);
});

test('no tenant waits for another', () => {
  const rate = setup(1);
  for (let i = 0; i < 100; i++) rate.admit('acme', 1, 0, 0);
  expect(rate.admit('globex', 1, 0, 0)).toBe(0);
});

test('each slot of a record counts, and a record larger than the burst still leaves', () => {
  const rate = setup(10);
  expect(rate.admit('acme', 64, 0, 0)).toBe(0);
  expect(rate.admit('acme', 1, 0, 5_000)).toBeGreaterThan(0);
  expect(rate.admit('acme', 1, 0, 6_400)).toBe(0);
});

test('a crowd comes back spread at its rate, so that almost all of it hops once', () => {
  const rate = setup(100);
  const turns: { atMs: number; crowded: number }[] = Array.from({ length: 2_000 }, () => ({
    atMs: 0,
    crowded: 0,
  }));
  let hops = 0;
  let lastMs = 0;
  for (let next = turns.shift(); next !== undefined; next = turns.shift()) {
    const waitMs = rate.admit('acme', 1, next.crowded, next.atMs);
    lastMs = Math.max(lastMs, next.atMs);
    if (waitMs === 0) continue;
    hops++;
    const atMs = next.atMs + waitMs;
    const place = turns.findIndex((each) => each.atMs > atMs);
    turns.splice(place === -1 ? turns.length : place, 0, { atMs, crowded: next.crowded + 1 });
  }
  expect(hops).toBeLessThan(2_000 * 1.2);
  // 2,000 at 100 a second, less the burst.
  expect(lastMs).toBeLessThan(25_000);
});

test('over any stretch a tenant gets no more than its rate and one burst', () => {
  const steps = fc.array(fc.record({ pauseMs: fc.nat(300), slots: fc.integer({ min: 1, max: 8 }) }), {
    minLength: 1,
    maxLength: 200,
  });
  fc.assert(
    fc.property(steps, (given) => {
      const rate = setup(20);
      const left: { atMs: number; slots: number }[] = [];
      let nowMs = 0;
      for (const { pauseMs, slots } of given) {
        nowMs += pauseMs;
        if (rate.admit('acme', slots, 0, nowMs) === 0) left.push({ atMs: nowMs, slots });
      }
      for (const [i, first] of left.entries()) {
        let slots = 0;
        for (const each of left.slice(i)) {
          slots += each.slots;
          expect(slots).toBeLessThanOrEqual(20 + ((each.atMs - first.atMs) * 20) / 1_000 + 1e-6);
        }
      }
    }),
    { numRuns: 50 },
  );
});

test('remembers no more tenants than it may; those that owe nothing go first', () => {
  const rate = setup(1, 3);
  for (const tenantId of ['idle', 'acme', 'globex']) rate.admit(tenantId, 1, 0, 0);
  for (const tenantId of ['acme', 'globex']) rate.admit(tenantId, 1, 0, 1_000);
  rate.admit('initech', 1, 0, 1_050);
  expect(rate.tenants).toBe(3);
  expect(rate.admit('acme', 1, 0, 1_060)).toBeGreaterThan(0);
  rate.admit('hooli', 1, 0, 1_070);
  expect(rate.tenants).toBe(3);
});
