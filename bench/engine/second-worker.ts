import { setTimeout as delay } from 'node:timers/promises';
import { preloadDeliveries } from '../preload.ts';
import { type Bench, createTenants, startSystem } from '../system.ts';
import { type Crew, startCrew } from './crew.ts';
import { type Finding, median } from './finding.ts';

/**
 * What a second worker adds where the machine is not what binds: receivers that take 100 ms and a bound on each
 * worker's requests at once that keeps both far below a core. The lanes hold more than the run can deliver.
 */
const RECEIVER_MS = 100;
const ATTEMPTS_AT_ONCE = 32;
const TENANTS = 100;
const LEAST_GAIN = 1.8;
/** From the second worker's start until both are at their pace. */
const SETTLE_SEC = 8;

export async function measureSecondWorker(
  bench: Bench,
  { runs, seconds }: { readonly runs: number; readonly seconds: number },
): Promise<Finding> {
  const settings = { MAX_CONCURRENT_ATTEMPTS: String(ATTEMPTS_AT_ONCE) };
  const system = await startSystem(bench, { withWorker: false, settings });
  const crew = await startCrew(RECEIVER_MS);
  try {
    const tenants = await createTenants(system.api, { count: TENANTS, receiverPort: crew.receiverPort });
    const ceiling = (1000 / RECEIVER_MS) * ATTEMPTS_AT_ONCE;
    const totalSec = 2 * SETTLE_SEC + 2 * runs * seconds;
    await preloadDeliveries(bench, system, tenants, Math.ceil(2 * ceiling * totalSec));
    bench.say('second-worker: one');
    await system.startWorker();
    await delay(SETTLE_SEC * 1000);
    const one = await arrivalRates(crew, runs, seconds);
    bench.say('second-worker: two');
    await system.startWorker();
    await delay(SETTLE_SEC * 1000);
    const two = await arrivalRates(crew, runs, seconds);
    return {
      workload: 'second-worker',
      figures: [
        { name: 'ceiling of one', value: ceiling, unit: 'deliveries/s' },
        { name: 'one', value: median(one), unit: 'deliveries/s' },
        { name: 'two', value: median(two), unit: 'deliveries/s' },
        { name: 'two / one', value: median(two) / median(one), atLeast: LEAST_GAIN },
      ],
    };
  } finally {
    await system.stop('kill');
    crew.stop();
  }
}

async function arrivalRates(crew: Crew, runs: number, seconds: number): Promise<number[]> {
  const rates: number[] = [];
  const count = async () => (await crew.receiver.ask<{ arrivals: number }>('count')).arrivals;
  for (let i = 0; i < runs; i++) {
    const before = await count();
    const startedMs = performance.now();
    await delay(seconds * 1000);
    rates.push(((await count()) - before) / ((performance.now() - startedMs) / 1000));
  }
  return rates;
}
