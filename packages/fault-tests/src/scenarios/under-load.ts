import { setTimeout as delay } from 'node:timers/promises';
import { complaints as complaintsOf, type Verdict } from '../oracle/judge.ts';
import { createRoundJudge } from '../oracle/judge-round.ts';
import type { Evidence } from '../oracle/ledgers.ts';
import { writeHistory } from '../report/history.ts';
import { kindRows } from '../report/kind-rows.ts';
import { type EndpointPlan, MIXED, makeTenants } from '../rig/make-tenants.ts';
import type { Latency } from '../rig/measure-latency.ts';
import { measureBaseline, RECOVER_WITHIN_MS, type Recovery, recover } from '../rig/recover.ts';
import { type Rig, type RigOptions, startRig } from '../rig/start-rig.ts';
import type { Finding, World } from './scenario.ts';

/** Where a scenario puts what it measures beside the oracle. */
export interface Notes {
  figure(name: string, value: string | number | boolean | null): void;
  /** A promise that the oracle does not know of. */
  expect(kept: boolean, otherwise: string): void;
}

export interface UnderLoad {
  readonly rig?: RigOptions;
  readonly tenants?: number;
  readonly endpoints?: readonly EndpointPlan[];
  readonly eventsPerSec?: number;
  /** While the load goes on; when it resolves, all is healed. */
  readonly during: (rig: Rig, notes: Notes, world: World) => Promise<void>;
  /** After the drain, before the verdict counts. */
  readonly after?: (rig: Rig, notes: Notes, verdict: Verdict, evidence: Evidence) => Promise<void> | void;
  /** Complaints of the oracle that are none here. */
  readonly excuse?: (complaint: string) => boolean;
}

const DEFAULT_TENANTS = 4;
const DEFAULT_EVENTS_PER_SEC = 60;
const WARM_UP_MS = 6_000;

/** Starts the system, sends load, lets `during` break things and heal them, drains, and asks the oracle. */
export async function runUnderLoad(world: World, scenario: UnderLoad): Promise<Finding> {
  const rig = await startRig(world.infra, scenario.rig);
  try {
    await makeTenants(rig, scenario.tenants ?? DEFAULT_TENANTS, scenario.endpoints ?? MIXED);
    const judge = createRoundJudge(rig);
    const { notes, figures, broken } = takeNotes();
    const load = rig.events.start({
      eventsPerSec: scenario.eventsPerSec ?? DEFAULT_EVENTS_PER_SEC,
      senders: rig.senders,
    });
    await delay(WARM_UP_MS);
    const baseline = await measureBaseline(rig);
    await scenario.during(rig, notes, world);
    const recovery = await recover(rig, load, baseline);
    const { verdict, evidence } = await judge.judge();
    await scenario.after?.(rig, notes, verdict, evidence);
    const found = [...complaintsOf(verdict), ...recoveryComplaints(recovery), ...broken];
    const complaints = found.filter((each) => !scenario.excuse?.(each));
    return {
      figures: { ...verdictFigures(verdict, baseline, recovery), ...figures },
      complaints,
      kinds: kindRows(evidence, verdict),
      ...(complaints.length > 0 ? { history: writeHistory(evidence, verdict, rig.ended) } : {}),
    };
  } finally {
    await rig.close();
  }
}

export function takeNotes() {
  const figures: Record<string, string | number | boolean | null> = {};
  const broken: string[] = [];
  const notes: Notes = {
    figure(name, value) {
      figures[name] = typeof value === 'number' ? Math.round(value * 10) / 10 : value;
    },
    expect(kept, otherwise) {
      if (!kept) broken.push(otherwise);
    },
  };
  return { notes, figures, broken };
}

export function recoveryComplaints({ latencyBackMs, backlogZeroMs, backlog }: Recovery): string[] {
  const within = (ms: number | null) => ms !== null && ms <= RECOVER_WITHIN_MS;
  const seconds = RECOVER_WITHIN_MS / 1_000;
  return [
    ...(within(latencyBackMs) ? [] : [`latency was not back within ${seconds} s`]),
    ...(within(backlogZeroMs)
      ? []
      : [`the backlog was not 0 within ${seconds} s: ${JSON.stringify(backlog)}`]),
  ];
}

export function verdictFigures(
  verdict: Verdict,
  baseline: Latency,
  recovery: Recovery,
): Record<string, number | null> {
  const { repeats } = verdict;
  return {
    sent: verdict.sent,
    ok: verdict.ok,
    refused: verdict.refused,
    unknown: verdict.unknown,
    arrivals: verdict.arrivals,
    lost: verdict.lost.length,
    duplicates: repeats.all,
    second_copies: repeats.copies,
    bound: repeats.bound,
    oldest_settled_ms: Math.round(repeats.oldestSettledMs),
    baseline_p95_ms: Math.round(baseline.p95Ms),
    latency_back_ms: rounded(recovery.latencyBackMs),
    backlog_zero_ms: rounded(recovery.backlogZeroMs),
  };
}

const rounded = (ms: number | null): number | null => (ms === null ? null : Math.round(ms));
