import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../now.ts';
import { matches } from '../oracle/ledgers.ts';
import { makeTenant } from '../rig/make-tenants.ts';
import { type Latency, measureLatency } from '../rig/measure-latency.ts';
import { type Rig, startRig } from '../rig/start-rig.ts';
import { byForm } from './choose.ts';
import type { Finding, Scenario, World } from './scenario.ts';
import { takeNotes } from './under-load.ts';

/** Both p99s are of a few hundred requests on one machine: less than this apart is noise. */
const NOISE_MS = 25;
const SETTLE_MS = 4_000;
const WINDOWS = 5;

export const hangingEndpoint: Scenario = {
  id: 'D19',
  title: 'one endpoint of many that hangs leaves the others alone',
  async run(world) {
    const endpoints = byForm(world, { short: 100, tenMinutes: 200, long: 1_000 });
    const perTenant = 20;
    return compare(world, {
      mostTimes: 2,
      eventsPerSec: 60,
      async prepare(rig) {
        for (let tenant = 0; tenant < endpoints / perTenant; tenant++)
          await makeTenant(
            rig,
            Array.from({ length: perTenant }, (_, index) => ({
              label: index === 0 ? 'hangs' : `e${index}-prompt`,
              eventTypes: [`load.e${index}`],
            })),
          );
      },
      types: Array.from({ length: perTenant }, (_, index) => `load.e${index}`),
      disturb: async (rig) => {
        await rig.receiver.behave(rig.targets[0]!.path, { hangs: true });
        return async () => rig.receiver.behave(rig.targets[0]!.path, {});
      },
      figures: { endpoints },
    });
  },
};

export const greedyTenants: Scenario = {
  id: 'D20',
  title: 'a tenant at 50 times its quota, and one whose receiver takes 30 s, leave the others alone',
  async run(world) {
    return compare(world, {
      mostTimes: 1.2,
      eventsPerSec: 40,
      async prepare(rig) {
        for (let tenant = 0; tenant < 4; tenant++) await makeTenant(rig, [{ label: 'prompt' }]);
      },
      types: ['load.any'],
      disturb: async (rig) => {
        const others = [...rig.senders];
        const greedy = await makeTenant(rig, [{ label: 'greedy' }], { quotas: { max_events_per_sec: 5 } });
        const slow = await makeTenant(rig, [{ label: 'stuck', behaviour: { delayMs: 30_000 } }]);
        rig.senders.splice(0, rig.senders.length, ...others);
        const loads = [
          rig.events.start({ eventsPerSec: 250, senders: [greedy], types: ['load.any'] }),
          rig.events.start({ eventsPerSec: 20, senders: [slow], types: ['load.any'] }),
        ];
        return async () => {
          await Promise.all(loads.map((load) => load.stop()));
        };
      },
      figures: {},
    });
  },
};

interface Comparison {
  readonly mostTimes: number;
  readonly eventsPerSec: number;
  readonly types: readonly string[];
  readonly figures: Finding['figures'];
  prepare(rig: Rig): Promise<void>;
  /** Resolves with what ends the disturbance. */
  disturb(rig: Rig): Promise<() => Promise<unknown>>;
}

/** The same load with and without the disturbance; the latency of those it must not reach. */
async function compare(world: World, comparison: Comparison): Promise<Finding> {
  const windowMs = byForm(world, { short: 15_000, tenMinutes: 15_000, long: 40_000 });
  const rig = await startRig(world.infra);
  const { notes, figures, broken } = takeNotes();
  try {
    await comparison.prepare(rig);
    const { eventsPerSec, types } = comparison;
    const load = rig.events.start({ eventsPerSec, senders: rig.senders, types });
    await delay(SETTLE_MS);
    const alone = await measureOften(rig, windowMs);
    const end = await comparison.disturb(rig);
    await delay(SETTLE_MS);
    const beside = await measureOften(rig, windowMs);
    await end();
    await load.stop();
    notes.figure('p99_alone_ms', alone.p99Ms);
    notes.figure('p99_beside_ms', beside.p99Ms);
    const limitMs = Math.max(comparison.mostTimes * alone.p99Ms, alone.p99Ms + NOISE_MS);
    notes.expect(
      beside.p99Ms <= limitMs,
      `p99 went from ${Math.round(alone.p99Ms)} to ${Math.round(beside.p99Ms)} ms`,
    );
    notes.figure('arrivals_alone', alone.count);
    notes.figure('arrivals_beside', beside.count);
    notes.expect(alone.count > 0 && beside.count > 0, 'nothing arrived that could be measured');
    notes.expect(
      beside.count >= 0.95 * beside.accepted,
      `${beside.count} arrivals where ${Math.round(beside.accepted)} were due`,
    );
    return { figures: { ...comparison.figures, ...figures }, complaints: broken };
  } finally {
    await rig.close();
  }
}

interface Measured extends Latency {
  /** Events accepted in the window that one of the measured endpoints takes. */
  readonly accepted: number;
}

/** The median of several windows: a machine that does something else for a moment is not what is measured. */
async function measureOften(
  rig: Rig,
  windowMs: number,
): Promise<Pick<Measured, 'p99Ms' | 'count' | 'accepted'>> {
  const windows: Measured[] = [];
  for (let window = 0; window < WINDOWS; window++) windows.push(await measure(rig, windowMs / WINDOWS));
  const p99s = windows.map(({ p99Ms }) => p99Ms).sort((a, b) => a - b);
  const sum = (of: (window: Measured) => number) => windows.reduce((total, window) => total + of(window), 0);
  return {
    p99Ms: p99s[Math.floor(WINDOWS / 2)]!,
    count: sum(({ count }) => count),
    accepted: sum(({ accepted }) => accepted),
  };
}

async function measure(rig: Rig, windowMs: number): Promise<Measured> {
  const fromMs = nowMs();
  await delay(windowMs);
  const untilMs = nowMs();
  await delay(1_000);
  const { sent } = rig.events;
  const prompt = rig.targets.filter(({ path }) => path.endsWith('prompt'));
  const accepted = sent.filter(
    (event) =>
      event.answered === 'ok' &&
      event.sentAtMs >= fromMs &&
      event.sentAtMs < untilMs &&
      prompt.some((target) => matches(target, event)),
  ).length;
  const arrivals = await rig.receiver.arrivals();
  return { ...measureLatency(sent, arrivals, { label: 'prompt', fromMs, untilMs }), accepted };
}
