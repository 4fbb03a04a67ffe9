import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createInboundRate } from './inbound-rate.ts';

const START_MS = 1_700_000_000_000;

test('no more than the limit is admitted that came within 900 ms', () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 80 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 10 }), (waits, limit) => {
      const rate = createInboundRate({ maxTenants: 1 });
      const admitted: number[] = [];
      let atMs = START_MS;
      for (const waitMs of waits) {
        atMs += waitMs;
        if (rate.admit('acme', limit, atMs)) admitted.push(atMs);
      }
      for (const end of admitted)
        expect(admitted.filter((each) => each > end - 900 && each <= end).length).toBeLessThanOrEqual(limit);
    }),
  );
});

test('who never sends more than his limit in a second is never refused', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(99), (limit, offset) => {
      const rate = createInboundRate({ maxTenants: 1 });
      for (let i = 0; i < limit * 5; i++) {
        const atMs = START_MS + offset + Math.floor(i / limit) * 1_000;
        expect(rate.admit('acme', limit, atMs)).toBe(true);
      }
    }),
  );
});

test('what is read late is judged by when it came, whatever was read before it', () => {
  const rate = createInboundRate({ maxTenants: 10 });
  expect(rate.admit('acme', 1, START_MS + 600_000)).toBe(true);
  expect(rate.admit('acme', 1, START_MS)).toBe(true);
  expect(rate.admit('acme', 1, START_MS + 500)).toBe(false);
  expect(rate.admit('acme', 1, START_MS + 1_000)).toBe(true);
  expect(rate.admit('acme', 1, START_MS + 600_500)).toBe(false);
});

test('tenants are counted apart, and as many as it may', () => {
  const rate = createInboundRate({ maxTenants: 2 });
  for (const tenantId of ['a', 'b', 'c']) expect(rate.admit(tenantId, 1, START_MS)).toBe(true);
  expect(rate.tenants).toBe(2);
  expect(rate.admit('c', 1, START_MS)).toBe(false);
  expect(rate.admit('a', 1, START_MS)).toBe(true);
});
