import { RATE_SLOT_MS } from '@posthorn/db';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { simulate } from '../../test/simulate-replicas.ts';
import { WINDOW_SLOTS } from './rate-slots.ts';
import { createRateWindow, type NearLimit, type RateWindow } from './rate-window.ts';

/** A slot less than a second: what "in a second" means here. */
const SHORT_SECOND_MS = WINDOW_SLOTS * RATE_SLOT_MS;
const reading = { sentAtMs: 0, receivedAtMs: 0, nowMs: 0, others: 1, rates: [] };

describe('the rate window', () => {
  it('admits a burst of the whole limit, then refuses until the oldest has left the window', () => {
    const rate = createRateWindow();
    for (let i = 0; i < 5; i++) {
      expect(rate.admit('a', 5, i * 20)).toMatchObject({ admitted: true, remaining: 4 - i });
    }
    expect(rate.admit('a', 5, 500)).toEqual({ admitted: false, limit: 5, remaining: 0, resetMs: 500 });
    expect(rate.admit('a', 5, 999).admitted).toBe(false);
    expect(rate.admit('a', 5, 1_000).admitted).toBe(true);
    expect(rate.admit('a', 5, 1_000).admitted).toBe(false);
  });

  it('never refuses a sender who keeps to the limit evenly', () => {
    const rate = createRateWindow();
    for (let i = 0; i < 1_000; i++) expect(rate.admit('a', 100, i * 10).admitted).toBe(true);
  });

  it('never admits more than the limit within a slot less than a second, nor refuses before it is reached', () => {
    const gaps = fc.array(fc.oneof(fc.nat(30), fc.nat(1_500)), { maxLength: 300 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 70 }), (steps, limit) => {
        const rate = createRateWindow();
        const admitted: number[] = [];
        const inLast = (ms: number, nowMs: number) => admitted.filter((at) => at > nowMs - ms).length;
        let nowMs = 0;
        for (const step of steps) {
          nowMs += step;
          const before = inLast(1_000, nowMs);
          const { admitted: taken, resetMs } = rate.admit('a', limit, nowMs);
          if (taken) admitted.push(nowMs);
          // A slot more where what was admitted a slot early is repaid.
          else expect([resetMs > 0, resetMs <= 1_010, before >= limit]).toEqual([true, true, true]);
          expect(inLast(SHORT_SECOND_MS - RATE_SLOT_MS, nowMs)).toBeLessThanOrEqual(limit);
        }
      }),
    );
  });

  it('says of a refused sender when he may come again', () => {
    const gaps = fc.array(fc.nat(60), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 20 }), (steps, limit) => {
        const rate = createRateWindow();
        let nowMs = 0;
        for (const step of steps) {
          nowMs += step;
          const { admitted, resetMs } = rate.admit('a', limit, nowMs);
          if (admitted) continue;
          expect(rate.admit('a', limit, nowMs + resetMs - 0.01).admitted).toBe(false);
          nowMs += resetMs;
          expect(rate.admit('a', limit, nowMs).admitted).toBe(true);
        }
      }),
    );
  });

  it('counts each tenant alone', () => {
    const rate = createRateWindow();
    expect(rate.admit('a', 1, 0).admitted).toBe(true);
    expect(rate.admit('b', 1, 0).admitted).toBe(true);
    expect(rate.admit('a', 1, 0).admitted).toBe(false);
  });

  it('follows a limit that is lowered or raised between two events', () => {
    const rate = createRateWindow();
    for (let i = 0; i < 10; i++) rate.admit('a', 10, i * 100);
    expect(rate.admit('a', 3, 950)).toMatchObject({ admitted: false });
    expect(rate.admit('a', 20, 950).admitted).toBe(true);
    expect(rate.admit('a', 0, 950).admitted).toBe(false);
  });

  it('counts the last second and the last minute', () => {
    const rate = createRateWindow();
    for (let i = 0; i < 100; i++) rate.admit('a', 100, i * 100);
    expect(rate.used('a', 9_999)).toEqual({ lastSecond: 10, lastMinute: 100 });
    expect(rate.used('a', 64_999)).toEqual({ lastSecond: 0, lastMinute: 50 });
    expect(rate.used('a', 3_600_000)).toEqual({ lastSecond: 0, lastMinute: 0 });
    expect(rate.used('b', 0)).toEqual({ lastSecond: 0, lastMinute: 0 });
  });

  it('forgets the least recently used windows when there are too many', () => {
    const rate = createRateWindow({ maxTenants: 10 });
    for (let i = 0; i < 50; i++) rate.admit(`tenant-${i}`, 10, i);
    expect(rate.tenants).toBe(10);
    expect(rate.used('tenant-49', 50).lastSecond).toBe(1);
    const kept = Array.from({ length: 50 }, (_, i) => rate.used(`tenant-${i}`, 50).lastSecond);
    expect(kept.filter((count) => count === 1)).toHaveLength(10);
  });
});

describe('what a replica reports', () => {
  const touch = (rate: RateWindow, tenants: number, nowMs: number) => {
    for (let i = 0; i < tenants; i++) rate.admit(`tenant-${i}`, 100, nowMs);
  };

  it('is nothing while it is alone', () => {
    const rate = createRateWindow();
    touch(rate, 3, 0);
    expect(rate.report(100)).toEqual({ slot: 10, rows: [], about: [] });
  });

  it('is where events were admitted, and who is asked about', () => {
    const rate = createRateWindow();
    rate.read(reading);
    rate.admit('a', 2, 0);
    rate.admit('a', 2, 45);
    expect(rate.report(100)).toMatchObject({
      slot: 10,
      rows: [{ tenantId: 'a', counts: [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] }],
      about: ['a'],
    });
    expect(rate.report(200)).toMatchObject({ rows: [], about: [] });
    expect(rate.admit('a', 2, 250).admitted).toBe(false);
    expect(rate.report(300).about).toEqual(['a']);
  });

  it('is of many tenants those near their limit, the others once a second, and never more than a statement takes', () => {
    const rate = createRateWindow();
    rate.read(reading);
    touch(rate, 2_500, 0);
    const counts = [0, 20, 40].map((nowMs) => rate.report(nowMs).about.length);
    expect(counts).toEqual([1_000, 1_000, 500]);
    touch(rate, 150, 200);
    for (let i = 0; i < 30; i++) rate.admit('tenant-7', 100, 200);
    expect(rate.report(220).about).toEqual(['tenant-7']);
    expect(rate.report(1_020).about).toHaveLength(149);
  });

  it('tells who is near his limit', () => {
    const near: NearLimit[] = [];
    const rate = createRateWindow({ onNear: (found) => near.push(found) });
    for (let i = 0; i < 79; i++) rate.admit('a', 100, 0);
    rate.report(10);
    expect(near).toEqual([]);
    rate.admit('a', 100, 20);
    rate.report(30);
    expect(near).toEqual([{ tenantId: 'a', limit: 100, used: 80 }]);
  });
});

describe('what others say', () => {
  it('counts from before this replica had anything to do with the tenant', () => {
    const rate = createRateWindow();
    rate.read({ ...reading, receivedAtMs: 1_000, sentAtMs: 1_000, nowMs: 1_000 });
    expect(rate.admit('a', 5, 1_010).admitted).toBe(true);
    const others = { tenantId: 'a', slot: 97, counts: [5, 0] };
    rate.report(1_015);
    rate.read({ ...reading, receivedAtMs: 1_020, sentAtMs: 1_020, nowMs: 1_020, rates: [others] });
    // The one too many has its place when the five of slot 96 have left the window, a second later.
    expect(rate.admit('a', 5, 1_500)).toMatchObject({ admitted: false, resetMs: 460 });
    expect(rate.admit('a', 5, 1_959)).toMatchObject({ admitted: false, resetMs: 1 });
    expect(rate.admit('a', 5, 1_960)).toMatchObject({ admitted: true, remaining: 3 });
  });

  it('is in force beside what this replica goes on to admit', () => {
    const rate = createRateWindow();
    rate.read({ ...reading, receivedAtMs: 1_000, sentAtMs: 1_000, nowMs: 1_000 });
    const others = { tenantId: 'a', slot: 100, counts: [4] };
    for (const nowMs of [1_000, 1_020]) {
      rate.admit('a', 10, nowMs);
      rate.report(nowMs);
      rate.read({ ...reading, receivedAtMs: nowMs, sentAtMs: nowMs, nowMs, rates: [others] });
    }
    expect(rate.admit('a', 10, 1_040).remaining).toBe(3);
    expect(rate.used('a', 1_040)).toEqual({ lastSecond: 3, lastMinute: 3 });
  });
});

describe('without an answer from Postgres', () => {
  it('each replica has its share of the limit, and all of it again when there is one', () => {
    const rate = createRateWindow();
    rate.read({ ...reading, others: 2 });
    const admitted = (nowMs: number) => {
      let count = 0;
      while (rate.admit('a', 100, nowMs).admitted) count += 1;
      return count;
    };
    expect([admitted(0), admitted(5_000), admitted(6_000)]).toEqual([100, 34, 34]);
    rate.read({ sentAtMs: 7_000, receivedAtMs: 7_000, nowMs: 7_000, others: 2, rates: [] });
    expect(admitted(7_001)).toBe(100);
  });

  it('a replica that was alone keeps the whole limit', () => {
    const rate = createRateWindow();
    rate.read({ ...reading, others: 0 });
    expect(rate.admit('a', 100, 60_000).limit).toBe(100);
  });
});

describe('over several replicas', () => {
  const world = fc.record({
    replicas: fc.integer({ min: 2, max: 4 }),
    limit: fc.integer({ min: 1, max: 120 }),
    delayMs: fc.integer({ min: 1, max: 120 }),
    seed: fc.integer(),
  });

  it('never refuses a sender who keeps to his limit, however slow the reports are', () => {
    fc.assert(
      fc.property(world, fc.double({ min: 0.5, max: 20, noNaN: true }), (of, pressure) => {
        const { offered, admitted } = simulate({
          ...of,
          pressure,
          keepsToLimit: true,
          durationMs: 6_000,
          warmUpMs: 0,
        });
        expect(admitted).toBe(offered);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['from the first event on', 0],
    ['at any time', 4_000],
  ])(
    'admits what is within 5 percent of the limit over 10 s when more is sent to each, %s',
    (_when, warmUpMs) => {
      const load = fc.double({ min: 0.8, max: 10, noNaN: true });
      fc.assert(
        fc.property(world, load, (of, pressure) => {
          const limit = of.limit + 60;
          const delayMs = Math.min(of.delayMs, 40);
          const flood = { ...of, replicas: 2, limit, delayMs, pressure, warmUpMs };
          const found = simulate({ ...flood, keepsToLimit: false, durationMs: 10_000 });
          expect(found.admitted / (limit * 10)).toBeGreaterThan(0.95);
          expect(found.admitted / (limit * 10)).toBeLessThan(1.05);
        }),
        { numRuns: 8 },
      );
    },
  );
});
