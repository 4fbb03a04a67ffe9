import { createFakeClock } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import { createOutcomeWaits, OUTCOME_POLL_MS } from './outcome-waits.ts';

function setup(
  over: {
    maxWaiting?: number;
    maxWaitingOfTenant?: number;
    maxWaitMs?: number;
    isStopping?: () => boolean;
  } = {},
) {
  const clock = createFakeClock();
  const waits = createOutcomeWaits({
    clock,
    pause: async (ms) => clock.advance(ms),
    isStopping: () => false,
    ...over,
  });
  let looks = 0;
  /** There is an outcome from the given time on. */
  const from = (atMs: number) => async () => {
    looks += 1;
    return clock.monotonicMs() >= atMs ? 'outcome' : null;
  };
  return { clock, waits, from, looks: () => looks };
}

test('an outcome is found when it is there', async () => {
  const { waits, from, clock } = setup();
  expect(await waits.until('a', from(1_000), 5_000)).toBe('outcome');
  expect(clock.monotonicMs()).toBe(1_000);
  expect(waits.waiting).toBe(0);
});

test('nobody waits past the deadline', async () => {
  const { waits, from, clock, looks } = setup();
  expect(await waits.until('a', from(9_999), 1_050)).toBeNull();
  expect(clock.monotonicMs()).toBe(1_050);
  expect(looks()).toBe(2 + Math.floor(1_050 / OUTCOME_POLL_MS));
});

test('nobody waits longer than the service lets wait', async () => {
  const { waits, from, clock } = setup({ maxWaitMs: 200 });
  expect(await waits.until('a', from(9_999), 5_000)).toBeNull();
  expect(clock.monotonicMs()).toBe(200);
});

test('who comes when too many wait looks once and does not wait', async () => {
  const { waits, from, clock } = setup({ maxWaiting: 1 });
  const { promise, resolve } = Promise.withResolvers<string>();
  const first = waits.until('a', () => promise, 1_000);
  expect(await waits.until('a', from(500), 1_000)).toBeNull();
  expect([clock.monotonicMs(), waits.waiting]).toEqual([0, 1]);
  resolve('outcome');
  expect(await first).toBe('outcome');
  expect(await waits.until('a', from(500), 1_000)).toBe('outcome');
});

test('a tenant who has many waiting leaves room for those of others', async () => {
  const { waits, from } = setup({ maxWaitingOfTenant: 1 });
  const { promise, resolve } = Promise.withResolvers<string>();
  const first = waits.until('a', () => promise, 1_000);
  expect(await waits.until('a', from(500), 1_000)).toBeNull();
  expect(await waits.until('b', from(500), 1_000)).toBe('outcome');
  resolve('outcome');
  expect(await first).toBe('outcome');
  expect(await waits.until('a', from(500), 1_000)).toBe('outcome');
});

test('nobody waits when the service stops, and a failed look frees its place', async () => {
  const { waits, from } = setup({ isStopping: () => true });
  expect(await waits.until('a', from(1), 1_000)).toBeNull();
  await expect(waits.until('a', () => Promise.reject(new Error('away')), 1_000)).rejects.toThrow('away');
  expect(waits.waiting).toBe(0);
});
