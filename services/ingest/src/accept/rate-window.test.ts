import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRateWindow, WINDOW_MS } from './rate-window.ts';

describe('the rate window', () => {
  it('admits a burst of the whole limit, then refuses until the oldest has left the window', () => {
    const rate = createRateWindow();
    for (let i = 0; i < 5; i++) {
      expect(rate.admit('a', 5, i * 10)).toMatchObject({ admitted: true, remaining: 4 - i });
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

  it('never admits more than the limit in any one second', () => {
    const gaps = fc.array(fc.oneof(fc.nat(30), fc.nat(1_500)), { maxLength: 300 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 70 }), (steps, limit) => {
        const rate = createRateWindow();
        const admitted: number[] = [];
        let nowMs = 0;
        for (const step of steps) {
          nowMs += step;
          const { admitted: taken, resetMs } = rate.admit('a', limit, nowMs);
          if (taken) admitted.push(nowMs);
          else expect(resetMs).toBeGreaterThan(0);
          const inWindow = admitted.filter((at) => at > nowMs - WINDOW_MS).length;
          expect(inWindow).toBeLessThanOrEqual(limit);
          expect(taken || inWindow === limit).toBe(true);
          expect(rate.used('a', nowMs)).toBe(inWindow);
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
    expect(rate.admit('a', 3, 950)).toMatchObject({ admitted: false, resetMs: 750 });
    expect(rate.admit('a', 20, 950).admitted).toBe(true);
    expect(rate.admit('a', 0, 950)).toMatchObject({ admitted: false, resetMs: WINDOW_MS });
  });

  it('forgets the least recently used windows when all together are too large', () => {
    const rate = createRateWindow(500);
    for (let i = 0; i < 50; i++) rate.admit(`tenant-${i}`, 10, i);
    expect(rate.tenants).toBeLessThanOrEqual(11);
    expect(rate.used('tenant-49', 50)).toBe(1);
    expect(rate.used('tenant-0', 50)).toBe(0);
  });
});
