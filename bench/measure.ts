import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Usage, usageOf } from './cpu.ts';
import type { ReceiverReport } from './receiver.ts';
import type { SendReport } from './sender.ts';
import type { Peer } from './services.ts';
import type { Workload } from './workloads.ts';

export interface Tenant {
  readonly tenantId: string;
  readonly key: string;
}

export interface Stage {
  readonly apiUrl: string;
  readonly sender: Peer;
  readonly receiver: Peer;
  /** Every process of the system under test, by name. */
  readonly pids: Readonly<Record<string, number>>;
}

export interface Measurement {
  readonly workload: Workload;
  readonly sent: number;
  readonly accepted: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly promised: number;
  readonly delivered: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly ackMs: Quantiles;
  readonly deliveryMs: Quantiles;
  /** From the first event due to the last delivery, in deliveries a second. */
  readonly deliveriesPerSec: number;
  readonly senderLagMs: number;
  readonly cpuSecPerThousand: number;
  readonly cpuByProcess: Readonly<Record<string, number>>;
  readonly residentMb: Readonly<Record<string, number>>;
}

export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const POLL_MS = 100;
const PATIENCE_MS = 30_000;
const PAYLOAD_BYTES = 1024;
const run = promisify(execFile);

/** CPU-seconds per 1,000 POSTs of a bare undici loop: the unit of N. */
export async function measureRawLoop(origin: string): Promise<number> {
  const script = fileURLToPath(new URL('raw-loop.ts', import.meta.url));
  const { stdout } = await run(process.execPath, [script, origin]);
  return Number(stdout);
}

/** Sends the workload and waits until all that was promised has arrived, or nothing has come for half a minute. */
export async function measure(
  stage: Stage,
  workload: Workload,
  tenants: readonly Tenant[],
): Promise<Measurement> {
  await stage.receiver.ask<ReceiverReport>('report');
  const before = await usage(stage.pids);
  const started = performance.now();
  const sent = await stage.sender.ask<SendReport>({
    url: stage.apiUrl,
    eventsPerSec: workload.eventsPerSec,
    seconds: workload.seconds,
    payloadBytes: PAYLOAD_BYTES,
    tenants,
  });
  await arrivalsSettled(stage.receiver, sent.queued);
  const tookSec = (performance.now() - started) / 1000;
  const after = await usage(stage.pids);
  const received = await stage.receiver.ask<ReceiverReport>('report');
  const cpuByProcess = Object.fromEntries(
    Object.keys(stage.pids).map((name) => [name, after[name]!.cpuSec - before[name]!.cpuSec]),
  );
  const cpuSec = Object.values(cpuByProcess).reduce((sum, each) => sum + each, 0);
  return {
    workload,
    sent: sent.sent,
    accepted: sent.accepted,
    refused: sent.refused,
    promised: sent.queued,
    delivered: received.unique,
    lost: Math.max(0, sent.queued - received.unique),
    duplicates: received.duplicates,
    ackMs: quantiles(sent.ackMs),
    deliveryMs: quantiles(received.latenciesMs),
    deliveriesPerSec: received.unique / tookSec,
    senderLagMs: sent.lastLagMs,
    cpuSecPerThousand: cpuSec / (received.unique / 1000),
    cpuByProcess,
    residentMb: Object.fromEntries(Object.entries(after).map(([name, each]) => [name, each.residentMb])),
  };
}

async function usage(pids: Readonly<Record<string, number>>): Promise<Record<string, Usage>> {
  const entries = Object.entries(pids).map(async ([name, pid]) => [name, await usageOf(pid)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

async function arrivalsSettled(receiver: Peer, expected: number): Promise<void> {
  let last = -1;
  let quietSince = performance.now();
  for (;;) {
    const { arrivals } = await receiver.ask<{ arrivals: number }>('count');
    if (arrivals >= expected) return;
    if (arrivals !== last) quietSince = performance.now();
    else if (performance.now() - quietSince > PATIENCE_MS) return;
    last = arrivals;
    await delay(POLL_MS);
  }
}

function quantiles(sorted: readonly number[]): Quantiles {
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
