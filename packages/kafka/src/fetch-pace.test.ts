import { expect, test } from 'vitest';
import { FetchPace, PACE_DEFAULTS } from './fetch-pace.ts';

function run(pace: FetchPace, fromMs: number, seconds: number, perSecond: number): number {
  const stepMs = 20;
  let nowMs = fromMs;
  while (nowMs < fromMs + seconds * 1_000) {
    nowMs += stepMs;
    pace.observe((perSecond * stepMs) / 1_000, nowMs);
  }
  return nowMs;
}

test('an idle consumer is told of the first byte', () => {
  const pace = new FetchPace(PACE_DEFAULTS, 0);
  run(pace, 0, 5, 100);
  expect(pace.settings(false)).toEqual({ minBytes: 1, maxWaitMs: 250 });
});

test('a busy one lets the broker gather, until the load has gone', () => {
  const pace = new FetchPace(PACE_DEFAULTS, 0);
  let nowMs = run(pace, 0, 3, 1_000);
  expect(pace.settings(false)).toEqual(PACE_DEFAULTS.busy);
  nowMs = run(pace, nowMs, 3, 200);
  expect(pace.busy).toBe(true);
  run(pace, nowMs, 3, 50);
  expect(pace.busy).toBe(false);
});

test('the busier it is the longer it lets the broker gather, within a bound', () => {
  const pace = new FetchPace(PACE_DEFAULTS, 0);
  const nowMs = run(pace, 0, 5, 2_000);
  expect(pace.settings(false).maxWaitMs).toBe(20);
  run(pace, nowMs, 5, 50_000);
  expect(pace.settings(false).maxWaitMs).toBe(25);
});

test('one burst does not make it busy for long', () => {
  const pace = new FetchPace(PACE_DEFAULTS, 0);
  pace.observe(500, 20);
  pace.observe(0, 3_000);
  expect(pace.busy).toBe(false);
});

test('with a paused partition it looks again soon', () => {
  const pace = new FetchPace(PACE_DEFAULTS, 0);
  expect(pace.settings(true).maxWaitMs).toBe(PACE_DEFAULTS.pausedWaitMs);
});
