import { setTimeout as delay } from 'node:timers/promises';
import type { ReceiverReport, Timeline } from '../receiver.ts';
import { type Bench, createTenants, startSystem } from '../system.ts';
import { send, startCrew } from './crew.ts';
import { type Finding, median } from './finding.ts';

/**
 * How long deliveries stand still when a worker comes or goes. Workers are started and stopped in turn, the oldest
 * first, under an even load; the receiver notes when each tenant's deliveries came. A stall is the longest time without
 * any of a tenant around one change, the worst tenant counting.
 */
const TENANTS = 20;
const EVENTS_PER_SEC = 1_000;
const RECEIVER_MS = 200;
const MAX_STALL_MS = 1_000;
const WARM_UP_SEC = 8;
/** From a change to the next: the new worker's start, the rebalance and time to catch up. */
const CHANGE_SEC = 6;
const PATIENCE_SEC = 30;
/** Room for the starts of the workers, which the load runs through. */
const START_SEC = 3;

interface Change {
  readonly kind: 'up' | 'down';
  readonly fromMs: number;
  readonly toMs: number;
}

export async function measureRebalances(bench: Bench, pairs: number): Promise<Finding> {
  const system = await startSystem(bench, { withWorker: false });
  const crew = await startCrew(RECEIVER_MS, 'timeline');
  try {
    const workers = [await system.startWorker()];
    const tenants = await createTenants(system.api, { count: TENANTS, receiverPort: crew.receiverPort });
    const url = system.api.url;
    bench.say('rebalance: warming up');
    await send(crew, { url, tenants, eventsPerSec: EVENTS_PER_SEC, seconds: WARM_UP_SEC });
    await delay(1_000);
    await crew.receiver.ask<ReceiverReport>('report');
    await crew.receiver.ask<Timeline>('timeline');
    const seconds = pairs * (2 * CHANGE_SEC + START_SEC);
    const sent = send(crew, { url, tenants, eventsPerSec: EVENTS_PER_SEC, seconds });
    await delay(1_000);
    const steady: Change = { kind: 'up', fromMs: Date.now(), toMs: Date.now() + 2_000 };
    await delay(2_000);
    const changes: Change[] = [];
    for (let i = 0; i < pairs; i++) {
      const upMs = Date.now();
      workers.push(await system.startWorker());
      await delay(CHANGE_SEC * 1000 - 1_000);
      changes.push({ kind: 'up', fromMs: upMs, toMs: Date.now() });
      const downMs = Date.now();
      const stopped = workers.shift()!.stop();
      await delay(CHANGE_SEC * 1000 - 1_000);
      await stopped;
      changes.push({ kind: 'down', fromMs: downMs, toMs: Date.now() });
      bench.say(`rebalance: ${changes.length} of ${2 * pairs} changes`);
    }
    const { queued } = await sent;
    await arrived(() => crew.receiver.ask<{ arrivals: number }>('count'), queued);
    const timeline = await crew.receiver.ask<Timeline>('timeline');
    const report = await crew.receiver.ask<ReceiverReport>('report');
    return toFinding(changes, steady, timeline, { lost: queued - report.unique, ...report });
  } finally {
    await system.stop('kill');
    crew.stop();
  }
}

async function arrived(count: () => Promise<{ arrivals: number }>, expected: number): Promise<void> {
  for (let i = 0; i < PATIENCE_SEC * 10; i++) {
    if ((await count()).arrivals >= expected) return;
    await delay(100);
  }
}

function toFinding(
  changes: readonly Change[],
  steady: Change,
  timeline: Timeline,
  totals: { lost: number; duplicates: number },
): Finding {
  const stalls = (kind: Change['kind']) =>
    changes.filter((change) => change.kind === kind).map((change) => longestGap(timeline, change));
  const late = changes.map((change) => longestLatency(timeline, change));
  const [up, down] = [stalls('up'), stalls('down')];
  const all = [...up, ...down];
  const ms = (name: string, value: number) => ({ name, value, unit: 'ms' });
  return {
    workload: 'rebalance',
    figures: [
      { name: 'changes', value: changes.length },
      ms('gap of the worst tenant without a change', longestGap(timeline, steady)),
      ms('stall when a worker comes, median', median(up)),
      { ...ms('stall when a worker comes, most', Math.max(...up)), atMost: MAX_STALL_MS },
      ms('stall when a worker goes, median', median(down)),
      { ...ms('stall when a worker goes, most', Math.max(...down)), atMost: MAX_STALL_MS },
      { ...ms('stall, median of all', median(all)), atMost: MAX_STALL_MS },
      ms('due → receiver of the latest, median', median(late)),
      ms('due → receiver of the latest, most', Math.max(...late)),
      { name: 'lost', value: totals.lost, atMost: 0 },
      { name: 'duplicates', value: totals.duplicates, atMost: 0 },
    ],
  };
}

/** The longest time without an arrival that ended in the window, over all tenants. */
function longestGap(timeline: Timeline, { fromMs, toMs }: Change): number {
  let longest = 0;
  for (const noted of Object.values(timeline)) {
    let lastMs: number | undefined;
    for (let i = 0; i < noted.length; i += 2) {
      const atMs = noted[i]!;
      if (lastMs !== undefined && atMs >= fromMs && atMs <= toMs) longest = Math.max(longest, atMs - lastMs);
      lastMs = atMs;
    }
  }
  return longest;
}

function longestLatency(timeline: Timeline, { fromMs, toMs }: Change): number {
  let longest = 0;
  for (const noted of Object.values(timeline)) {
    for (let i = 0; i < noted.length; i += 2) {
      if (noted[i]! >= fromMs && noted[i]! <= toMs) longest = Math.max(longest, noted[i + 1]!);
    }
  }
  return longest;
}
