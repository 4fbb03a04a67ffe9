import { describe, expect, test } from 'vitest';
import { attempted, newSubject, type Subject } from '../test/entries.ts';
import { emptySignals, noteAnswer } from './gather-signals.ts';
import { createHealthWatch, HEALTH_REFRESH_MS, MAX_ENDPOINTS_WATCHED } from './watch-health.ts';

const START_MS = 1_000_000;

/** What a batch with these answers at these times says. */
function answers(subject: Subject, ...given: ['ok' | 'bad', number][]) {
  const signals = emptySignals();
  for (const [answer, atMs] of given)
    noteAnswer(signals, attempted(subject, answer === 'ok' ? 'success' : 'processing', {}, { atMs }));
  return signals.answers;
}

function setup() {
  const clock = { now: START_MS, monotonicMs: () => clock.now };
  const watch = createHealthWatch(clock);
  /** Whether the batch's answers were worth a row. */
  const write = (batch: ReturnType<typeof answers>): boolean => {
    const due = watch.due(batch);
    watch.written(due);
    return due.endpointId.length > 0;
  };
  return { clock, watch, write };
}

describe('what endpoints answer', () => {
  test('is written when it is heard of first, and while it stays the same once a minute', () => {
    const { clock, write } = setup();
    const subject = newSubject();
    expect(write(answers(subject, ['ok', 1]))).toBe(true);
    expect(write(answers(subject, ['ok', 2]))).toBe(false);
    clock.now += HEALTH_REFRESH_MS;
    expect(write(answers(subject, ['ok', 3]))).toBe(true);
  });

  test('is written at once when it changes, either way', () => {
    const { write } = setup();
    const subject = newSubject();
    const steps = [
      write(answers(subject, ['ok', 1])),
      write(answers(subject, ['bad', 2])),
      write(answers(subject, ['bad', 3])),
      write(answers(subject, ['ok', 4])),
      write(answers(subject, ['ok', 5])),
    ];
    expect(steps).toEqual([true, true, false, true, false]);
  });

  test('is written again after a batch that was not', () => {
    const { watch } = setup();
    const batch = answers(newSubject(), ['bad', 1]);
    expect(watch.due(batch).endpointId).toHaveLength(1);
    expect(watch.due(batch).endpointId).toHaveLength(1);
  });

  test('of one batch begins to fail at the first failure, or behind a success at the last', () => {
    const { watch } = setup();
    const subject = newSubject();
    const failing = (...given: ['ok' | 'bad', number][]) =>
      watch.due(answers(subject, ...given)).firstFailureAtMs[0];
    expect(failing(['bad', 3], ['bad', 1], ['bad', 2])).toBe(1);
    expect(failing(['bad', 1], ['ok', 2], ['bad', 3], ['bad', 4])).toBe(4);
    expect(failing(['bad', 1], ['ok', 2])).toBeNull();
  });

  test('is forgotten and written once more when too many endpoints are remembered', () => {
    const { watch, write } = setup();
    const first = newSubject();
    write(answers(first, ['ok', 1]));
    const columns = watch.due(answers(newSubject(), ['ok', 1]));
    const many = Array.from({ length: MAX_ENDPOINTS_WATCHED }, (_, i) => String(i));
    watch.written({ ...columns, endpointId: many, firstFailureAtMs: many.map(() => null) });
    expect(write(answers(first, ['ok', 2]))).toBe(true);
  });
});
