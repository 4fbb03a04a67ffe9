import { openDatabase } from '@posthorn/db';
import { createMetrics } from '@posthorn/runtime';
import { createFakeClock } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRecorderMetrics } from '../src/metrics.ts';
import { createRetention, keepPartitions } from '../src/retention.ts';
import { type Databases, openDatabases } from './open-databases.ts';

const DAY_MS = 86_400_000;
const PARTITIONS_PER_DAY = 12;

let databases: Databases;
beforeAll(async () => {
  databases = await openDatabases();
});
afterAll(() => databases.close());

function setup() {
  const metrics = createRecorderMetrics(createMetrics('recorder'), {
    bufferedRecords: () => 0,
    bufferedBytes: () => 0,
    lag: () => ({ events: 0, journal: 0, dead_letters: 0 }),
  });
  const log = { info() {}, warn() {} } as never;
  const count = async (change: string) =>
    (await metrics.partitions.get()).values.find((value) => value.labels.change === change)?.value ?? 0;
  return { clock: createFakeClock(), metrics, log, count };
}

test('a day later the next day is made, and a class is dropped when its time is over', async () => {
  const { clock, metrics, log, count } = setup();
  const turn = () => keepPartitions({ ...databases, clock, metrics, log });
  await turn();
  expect(await count('made')).toBe(5 * PARTITIONS_PER_DAY);
  await turn();
  expect(await count('made')).toBe(5 * PARTITIONS_PER_DAY);
  clock.advance(DAY_MS);
  await turn();
  expect(await count('made')).toBe(6 * PARTITIONS_PER_DAY);
  expect(await count('dropped')).toBe(0);
  clock.advance(16 * DAY_MS);
  await turn();
  expect(await count('dropped')).toBe(3 * 4);
  expect((await metrics.unpartitionedRows.get()).values[0]!.value).toBe(0);
});

test('with Postgres away the service starts all the same, and stops at once', async () => {
  const { clock, metrics, log } = setup();
  const away = openDatabase({ url: 'postgres://a:b@127.0.0.1:1/x', pool: 1, applicationName: 'test' });
  const retention = createRetention({ database: away, clock, metrics, log });
  await retention.start();
  await retention.stop();
  await away.close(0);
});
