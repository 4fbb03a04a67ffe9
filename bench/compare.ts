import { setTimeout as delay } from 'node:timers/promises';
import { usageOf } from './cpu.ts';
import { type Crew, startCrew } from './engine/crew.ts';
import { median } from './engine/finding.ts';
import { type Measurement, measure, measureRawLoop } from './measure.ts';
import { type Bench, type BenchTenant, createTenants, type System, startSystem } from './system.ts';
import type { Workload } from './workloads.ts';

/**
 * Two states of the code under the same load in turn (A B, B A, …), each with services, topics and a database of its
 * own, on one broker and one Postgres, from one sender to one receiver. Both stand all the time; what the one at rest
 * uses of Kafka and Postgres is in the figures of both alike.
 */
export interface Comparison {
  readonly workload: string;
  readonly rawLoop: number;
  readonly before: readonly Measurement[];
  readonly now: readonly Measurement[];
}

export interface CompareOptions {
  /** The tree of the state before. */
  readonly against: string;
  readonly workloads: readonly Workload[];
  readonly runs: number;
  readonly warmUpSec: number;
}

interface Side {
  readonly name: 'before' | 'now';
  readonly system: System;
  readonly tenants: Map<number, readonly BenchTenant[]>;
}

const IDLE_SEC = 4;

export async function compare(bench: Bench, options: CompareOptions): Promise<Comparison[]> {
  const crew = await startCrew(0);
  const sides: Side[] = [];
  try {
    for (const [name, checkout] of [
      ['before', options.against],
      ['now', bench.checkout],
    ] as const) {
      bench.say(`starting ${name}: ${checkout}`);
      const system = await startSystem(bench, { checkout });
      sides.push({ name, system, tenants: new Map() });
    }
    const found: Comparison[] = [];
    for (const workload of options.workloads) {
      const compared = await compareWorkload(bench, options, workload, crew, sides);
      bench.say(describeComparison(compared));
      found.push(compared);
    }
    for (const side of sides) bench.say(await idleCost(side));
    return found;
  } finally {
    for (const { system } of sides) await system.stop();
    crew.stop();
  }
}

async function compareWorkload(
  bench: Bench,
  { runs, warmUpSec }: CompareOptions,
  workload: Workload,
  crew: Crew,
  sides: readonly Side[],
): Promise<Comparison> {
  const results: Record<Side['name'], Measurement[]> = { before: [], now: [] };
  const runOnce = async (side: Side, seconds: number): Promise<Measurement> => {
    const { api } = side.system;
    let tenants = side.tenants.get(workload.fanOut);
    if (!tenants) {
      const { receiverPort } = crew;
      tenants = await createTenants(api, {
        count: workload.tenants,
        receiverPort,
        endpoints: workload.fanOut,
      });
      side.tenants.set(workload.fanOut, tenants);
    }
    const { sender, receiver } = crew;
    const stage = { apiUrl: api.url, sender, receiver, pids: side.system.pids() };
    return measure(stage, { ...workload, seconds }, tenants);
  };
  bench.say(`${workload.name}: warming up`);
  for (const side of sides) await runOnce(side, warmUpSec);
  const rawLoop = await measureRawLoop(`http://127.0.0.1:${crew.receiverPort}`);
  for (let i = 0; i < runs; i++) {
    for (const side of i % 2 === 0 ? sides : [...sides].reverse()) {
      const one = await runOnce(side, workload.seconds);
      results[side.name].push(one);
      bench.say(
        `  ${side.name.padEnd(6)} ${one.deliveriesPerSec.toFixed(0)}/s, ${one.cpuSecPerThousand.toFixed(3)} CPU-s per 1,000, ack p99 ${one.ackMs.p99.toFixed(0)} ms, lost ${one.lost}, duplicates ${one.duplicates}`,
      );
    }
  }
  return { workload: workload.name, rawLoop, ...results };
}

/** What a system at rest uses of the cores: a part of each figure of the other. */
async function idleCost({ name, system }: Side): Promise<string> {
  const pids = system.pids();
  const read = () => Promise.all(Object.values(pids).map(usageOf));
  const before = await read();
  await delay(IDLE_SEC * 1000);
  const after = await read();
  const shares = Object.keys(pids).map(
    (process, i) => `${process} ${((after[i]!.cpuSec - before[i]!.cpuSec) / IDLE_SEC).toFixed(3)}`,
  );
  return `at rest, cores in use, ${name}: ${shares.join(', ')} (Kafka and Postgres: for both)`;
}

const FIGURES: readonly (readonly [string, (found: Measurement, rawLoop: number) => number, number])[] = [
  ['deliveries/s', (found) => found.deliveriesPerSec, 0],
  ['CPU-s per 1,000', (found) => found.cpuSecPerThousand, 3],
  ['N', (found, rawLoop) => found.cpuSecPerThousand / rawLoop, 1],
  ['ack p50, ms', (found) => found.ackMs.p50, 1],
  ['ack p99, ms', (found) => found.ackMs.p99, 1],
  ['due → receiver p50, ms', (found) => found.deliveryMs.p50, 1],
  ['due → receiver p99, ms', (found) => found.deliveryMs.p99, 1],
  ['worker memory, MB', (found) => found.residentMb.worker!, 0],
  ['lost', (found) => found.lost, 0],
  ['duplicates', (found) => found.duplicates, 0],
];

export function describeComparison({ workload, rawLoop, before, now }: Comparison): string {
  const processes = Object.keys(now[0]!.cpuByProcess).map(
    (process) =>
      [
        `CPU-s per 1,000, ${process}`,
        (found: Measurement) => found.cpuByProcess[process]! / (found.delivered / 1000),
        3,
      ] as const,
  );
  const rows = [...FIGURES, ...processes].map(([name, figureOf, digits]) => {
    const values = (found: readonly Measurement[]) => found.map((each) => figureOf(each, rawLoop));
    const cell = (found: readonly Measurement[]) => {
      const all = values(found);
      const text = (value: number) => value.toFixed(digits);
      return `${text(median(all))} (${text(Math.min(...all))}–${text(Math.max(...all))})`;
    };
    const ratio = median(values(now)) / median(values(before));
    return `| ${name} | ${cell(before)} | ${cell(now)} | ${Number.isFinite(ratio) ? ratio.toFixed(2) : '–'} |`;
  });
  return [
    `${workload}: ${before.length} runs each, median (least–most), bare loop ${rawLoop.toFixed(4)}`,
    '| figure | before | now | now / before |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
