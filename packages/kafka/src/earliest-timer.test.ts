import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EarliestTimer } from './earliest-timer.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setup() {
  const fired = vi.fn();
  return { fired, timer: new EarliestTimer(() => performance.now(), fired), startMs: performance.now() };
}

test('fires once, at the earliest of the times it was asked for', () => {
  const { fired, timer, startMs } = setup();
  timer.at(startMs + 50);
  timer.at(startMs + 20);
  timer.at(startMs + 90);
  vi.advanceTimersByTime(19);
  expect(fired).not.toHaveBeenCalled();
  vi.advanceTimersByTime(100);
  expect(fired).toHaveBeenCalledOnce();
});

test('a time that has passed is after the current turn', () => {
  const { fired, timer, startMs } = setup();
  timer.at(startMs - 1);
  expect(fired).not.toHaveBeenCalled();
  vi.advanceTimersByTime(0);
  expect(fired).toHaveBeenCalledOnce();
});

test('can be asked again from within, and cancelled', () => {
  const { fired, timer, startMs } = setup();
  fired.mockImplementationOnce(() => timer.at(startMs + 30));
  timer.at(startMs + 10);
  vi.advanceTimersByTime(30);
  expect(fired).toHaveBeenCalledTimes(2);
  timer.at(startMs + 40);
  timer.cancel();
  vi.advanceTimersByTime(100);
  expect(fired).toHaveBeenCalledTimes(2);
});
