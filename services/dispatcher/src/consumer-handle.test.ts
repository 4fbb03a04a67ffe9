import type { Consumer } from '@posthorn/kafka';
import { expect, test } from 'vitest';
import { createConsumerHandle } from './consumer-handle.ts';

test('nothing may begin before there is a consumer', () => {
  const handle = createConsumerHandle();
  handle.resume('events', 0);
  expect([handle.mayAct(), handle.mayBegin()]).toEqual([false, false]);
});

test("the consumer's fence and drain are the handle's", () => {
  const resumed: string[] = [];
  const handle = createConsumerHandle();
  handle.attach({
    mayAct: () => true,
    mayBegin: () => false,
    resume: (topic: string, partition: number) => resumed.push(`${topic}/${partition}`),
  } as unknown as Consumer);
  handle.resume('events', 3);
  expect(resumed).toEqual(['events/3']);
  expect([handle.mayAct(), handle.mayBegin()]).toEqual([true, false]);
});
