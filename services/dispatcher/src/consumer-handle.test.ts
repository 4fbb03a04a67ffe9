import type { Consumer, ConsumerStats } from '@posthorn/kafka';
import { expect, test } from 'vitest';
import { createConsumerHandle } from './consumer-handle.ts';

function fakeConsumer() {
  const state = { mayAct: true, generation: 1 as number | null };
  const resumed: string[] = [];
  const consumer = {
    mayAct: () => state.mayAct,
    stats: () => ({ generation: state.generation }) as ConsumerStats,
    resume: (topic: string, partition: number) => resumed.push(`${topic}/${partition}`),
  } as unknown as Consumer;
  return { consumer, state, resumed };
}

test('nothing may act before there is a consumer', () => {
  const handle = createConsumerHandle();
  handle.resume('events', 0);
  expect(handle.generation).toBe(null);
  expect(handle.mayAct()).toBe(false);
});

test("the consumer's fence is the handle's", () => {
  const handle = createConsumerHandle();
  const { consumer, state, resumed } = fakeConsumer();
  handle.attach(consumer);
  handle.resume('events', 3);
  expect(resumed).toEqual(['events/3']);
  expect(handle.mayAct()).toBe(true);
  state.mayAct = false;
  expect(handle.mayAct()).toBe(false);
});

test('from a hold on nothing may act until the group has a new generation', () => {
  const handle = createConsumerHandle();
  const { consumer, state } = fakeConsumer();
  handle.attach(consumer);
  handle.holdWhile(handle.generation);
  expect(handle.mayAct()).toBe(false);
  state.generation = 2;
  expect(handle.mayAct()).toBe(true);
  state.generation = 1;
  expect(handle.mayAct()).toBe(true);
});

// A drain that ended after the rejoin it was for held the new generation, and nothing moved until the next rebalance.
test('a hold of a generation that is over holds nothing', () => {
  const handle = createConsumerHandle();
  const { consumer, state } = fakeConsumer();
  handle.attach(consumer);
  const before = handle.generation;
  state.generation = 2;
  handle.holdWhile(before);
  expect(handle.mayAct()).toBe(true);
});
