import { chooseTier, DEFAULT_TIERS, lookAheadMs, parseTiers } from '@posthorn/contracts';
import { describe, expect, test } from 'vitest';
import { describeWaiting, isWaiting, tierAt } from './describe-waiting.ts';

const TIERS = parseTiers(DEFAULT_TIERS);
const HOUR_MS = 3_600_000;
const at = (dueAtMs: number, nowMs: number) => tierAt(TIERS, { sinceMs: 0, dueAtMs, nowMs });

describe('the tier that holds a wait', () => {
  test.each([
    ['a wait of a tier’s own length', 64_000, 10_000, '64s'],
    ['its remainder within the look-ahead, waited out where it is', 70_000, 69_000, '64s'],
    ['a long wait, at first', 10 * HOUR_MS, HOUR_MS, '6h'],
    ['a long wait, after its first hop', 10 * HOUR_MS, 6.5 * HOUR_MS, '1h'],
    ['a long wait, near its end', 10 * HOUR_MS, 10 * HOUR_MS - 30_000, '1h'],
    ['the shortest of all', 200, 100, '1s'],
    ['none once it is due', 64_000, 64_000, null],
  ])('is that of %s', (_name, dueAtMs, nowMs, tier) => {
    expect(at(dueAtMs, nowMs)).toBe(tier);
  });

  test('is one that the releaser would have chosen, at every moment of every wait', () => {
    for (const dueAtMs of [900, 5_000, 80_000, 1_000_000, 20_000_000, 300_000_000]) {
      for (let part = 0; part < 50; part++) {
        const nowMs = (dueAtMs * part) / 50;
        const tier = TIERS.find((each) => each.name === at(dueAtMs, nowMs))!;
        expect(tier.delayMs - lookAheadMs(tier)).toBeLessThanOrEqual(
          Math.max(dueAtMs, chooseTier(TIERS, 0).delayMs),
        );
      }
    }
  });
});

describe('a delivery that waits', () => {
  test('says what holds it back', () => {
    const delivery = { nextDueAt: null, updatedAt: new Date(0) };
    const circuit = { endpointId: 'ep_1', nextProbeAt: new Date(9_000) };
    const obstacles = { load: { inFlight: 3, queued: 12, overflow: 40 }, circuit, webhookState: 'paused' };
    expect(describeWaiting(delivery, obstacles, { tiers: TIERS, nowMs: 0 })).toEqual({
      next_due_at: null,
      tier: null,
      overflow_records: 40,
      in_flight: 3,
      queued: 12,
      circuit: { open: true, next_probe_at: '1970-01-01T00:00:09.000Z' },
      webhook_state: 'paused',
    });
  });

  test('is one that is not settled', () => {
    const states = ['scheduled', 'pending', 'processing', 'success', 'failed', 'cancelled'] as const;
    expect(states.filter((state) => isWaiting({ state }))).toEqual(['scheduled', 'pending', 'processing']);
  });
});
