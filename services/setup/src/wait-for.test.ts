import { createFakeClock } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import { ASK_AGAIN_MS, waitFor } from './wait-for.ts';

function setup(timeoutMs: number) {
  const clock = createFakeClock();
  const lines: string[] = [];
  const options = {
    timeoutMs,
    clock,
    wait: async (ms: number) => clock.advance(ms),
    waiting: (line: string) => lines.push(line),
  };
  return { clock, lines, options };
}

test('asks until it is answered and says once what it waits for', async () => {
  const { options, lines, clock } = setup(30_000);
  let refusals = 3;
  const answer = await waitFor(
    'Kafka',
    async () => {
      if (refusals-- > 0) throw new Error('connection\nrefused');
      return 'here';
    },
    options,
  );
  expect(answer).toBe('here');
  expect(lines).toEqual(['waiting for Kafka (connection refused)']);
  expect(clock.monotonicMs()).toBe(3 * ASK_AGAIN_MS);
});

test('gives up when the time is over, with the last reason', async () => {
  const { options, clock } = setup(1_000);
  const refused = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
  await expect(waitFor('Postgres', () => Promise.reject(refused), options)).rejects.toThrow(
    'Postgres did not answer within 1 s (ECONNREFUSED)',
  );
  expect(clock.monotonicMs()).toBe(1_000);
});

test('does not wait for an answer that will not change', async () => {
  const { options, clock } = setup(1_000);
  const ask = () => Promise.reject(new Error('no such database'));
  await expect(waitFor('Postgres', ask, { ...options, isFinal: () => true })).rejects.toThrow(
    'Postgres: no such database',
  );
  expect(clock.monotonicMs()).toBe(0);
});
