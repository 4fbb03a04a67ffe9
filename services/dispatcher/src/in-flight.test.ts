import { expect, test } from 'vitest';
import { fakeRecord, gate } from '../test/fakes.ts';
import { createInFlight } from './in-flight.ts';

function setup(bounds: { maxRecords?: number; maxBytes?: number } = {}) {
  const resumed: string[] = [];
  const inFlight = createInFlight({
    maxRecords: 4,
    maxBytes: 1_000,
    ...bounds,
    resume: (topic, partition) => resumed.push(`${topic}/${partition}`),
  });
  const take = (bytes = 1, partition = 0) => {
    const work = gate();
    const record = fakeRecord({ partition, value: Buffer.alloc(bytes) });
    return { taken: inFlight.take(record, () => work.passed), end: work.open };
  };
  return { inFlight, take, resumed };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('records beyond the count are refused, and offered again once half is free', async () => {
  const { take, resumed } = setup();
  const works = [take(), take(), take(), take()];
  expect(works.every((work) => work.taken)).toBe(true);
  expect(take(1, 7).taken).toBe(false);
  expect(take(1, 8).taken).toBe(false);
  works[0]!.end();
  await turn();
  expect(resumed).toEqual([]);
  works[1]!.end();
  await turn();
  expect(resumed).toEqual(['events/7', 'events/8']);
});

test('records beyond the bytes are refused', () => {
  const { inFlight, take } = setup();
  expect(take(900).taken).toBe(true);
  expect(take(101).taken).toBe(false);
  expect(take(100).taken).toBe(true);
  expect(inFlight.bytes).toBe(1_000);
});

test('one record is let in however large it is', () => {
  const { take } = setup();
  expect(take(5_000).taken).toBe(true);
  expect(take(1).taken).toBe(false);
});

test('a partition that was refused twice is resumed once', async () => {
  const { take, resumed } = setup({ maxRecords: 1 });
  const work = take();
  expect([take(1, 7).taken, take(1, 7).taken]).toEqual([false, false]);
  work.end();
  await turn();
  expect(resumed).toEqual(['events/7']);
});

test('idle resolves when the last work has ended', async () => {
  const { inFlight, take } = setup();
  await inFlight.idle();
  const works = [take(), take()];
  let idle = false;
  const waiting = inFlight.idle().then(() => {
    idle = true;
  });
  works[0]!.end();
  await turn();
  expect(idle).toBe(false);
  works[1]!.end();
  await waiting;
  expect(inFlight).toMatchObject({ records: 0, bytes: 0 });
});
