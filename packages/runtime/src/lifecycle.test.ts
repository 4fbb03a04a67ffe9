import { expect, test } from 'vitest';
import { createLifecycle, type Part } from './lifecycle.ts';
import { createLogger } from './logger.ts';

const silent = createLogger('test', 'silent', { write: () => undefined });

function setup(count = 3) {
  const calls: string[] = [];
  const parts: Part[] = Array.from({ length: count }, (_, i) => ({
    name: `part ${i}`,
    start: () => void calls.push(`start ${i}`),
    stop: () => void calls.push(`stop ${i}`),
  }));
  return { calls, parts };
}

test('parts start in order and stop in the opposite order', async () => {
  const { calls, parts } = setup();
  const lifecycle = createLifecycle(parts, silent);
  await lifecycle.start();
  expect(lifecycle.mode).toBe('running');
  await lifecycle.stop('test');
  expect(calls).toEqual(['start 0', 'start 1', 'start 2', 'stop 2', 'stop 1', 'stop 0']);
  expect(lifecycle.mode).toBe('stopped');
});

test('a stop asked for twice stops once', async () => {
  const { calls, parts } = setup(1);
  const lifecycle = createLifecycle(parts, silent);
  await lifecycle.start();
  await Promise.all([lifecycle.stop('one'), lifecycle.stop('two')]);
  expect(calls).toEqual(['start 0', 'stop 0']);
});

test('a stop before the start has nothing to stop', async () => {
  const { calls, parts } = setup(2);
  const lifecycle = createLifecycle(parts, silent);
  await lifecycle.stop('early');
  await lifecycle.start();
  expect(calls).toEqual([]);
});

test('a stop while starting waits for the part under way and stops only what was started', async () => {
  const { calls, parts } = setup(3);
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const slow: Part = {
    name: 'slow',
    start: () => {
      begun.resolve();
      return gate.promise;
    },
    stop: parts[1]!.stop!,
  };
  const lifecycle = createLifecycle([parts[0]!, slow, parts[2]!], silent);
  const started = lifecycle.start();
  await begun.promise;
  const stopped = lifecycle.stop('while starting');
  gate.resolve();
  await Promise.all([started, stopped]);
  expect(calls).toEqual(['start 0', 'stop 1', 'stop 0']);
});

test('a part that fails to start can still be stopped with those before it', async () => {
  const { calls, parts } = setup(1);
  const broken: Part = {
    name: 'broken',
    start: () => Promise.reject(new Error('no')),
    stop: () => void calls.push('stop broken'),
  };
  const lifecycle = createLifecycle([...parts, broken], silent);
  await expect(lifecycle.start()).rejects.toThrow('no');
  await lifecycle.stop('failed');
  expect(calls).toEqual(['start 0', 'stop broken', 'stop 0']);
});

test('a part that fails to stop does not keep the others from stopping', async () => {
  const { calls, parts } = setup(1);
  const lifecycle = createLifecycle(
    [...parts, { name: 'stuck', stop: () => Promise.reject(new Error('stuck')) }],
    silent,
  );
  await lifecycle.start();
  await lifecycle.stop('test');
  expect(calls).toEqual(['start 0', 'stop 0']);
});

test('a stop that takes too long ends at its deadline', async () => {
  const lifecycle = createLifecycle([{ name: 'hung', stop: () => new Promise(() => undefined) }], silent, 5);
  await lifecycle.start();
  await lifecycle.stop('test');
  expect(lifecycle.mode).toBe('stopping');
});
