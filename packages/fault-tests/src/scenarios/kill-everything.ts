import { setTimeout as delay } from 'node:timers/promises';
import { complaints as complaintsOf } from '../oracle/judge.ts';
import { createRoundJudge, type RoundJudge } from '../oracle/judge-round.ts';
import { drawKills, type PlannedKill } from '../plan/draw-kills.ts';
import { restartInfra, restartServices } from '../plan/restart-all.ts';
import { runKills } from '../plan/run-kills.ts';
import { type History, writeHistory } from '../report/history.ts';
import { addRows, type KindRow, kindRows } from '../report/kind-rows.ts';
import { makeTenants } from '../rig/make-tenants.ts';
import { measureBaseline, recover } from '../rig/recover.ts';
import { type Rig, startRig } from '../rig/start-rig.ts';
import { byForm } from './choose.ts';
import type { Finding, Scenario, World } from './scenario.ts';
import { recoveryComplaints, verdictFigures } from './under-load.ts';

const TENANTS = 6;
const EVENTS_PER_SEC = 100;
const WARM_UP_MS = 8_000;
const KILLS_PER_ROUND = 60;
const GAPS = { leastGapMs: 2_000, mostGapMs: 6_000 };

export const killEverything: Scenario = {
  id: 'D1',
  title: 'SIGKILL of every service, broker and database at random under load loses nothing',
  async run(world) {
    const rig = await startRig(world.infra, { sizes: { worker: 2 } });
    try {
      return await runRounds(world, rig);
    } finally {
      await rig.close();
    }
  },
};

interface Round {
  readonly kinds: readonly KindRow[];
  readonly complaints: readonly string[];
  readonly figures: Readonly<Record<string, number | null>>;
  readonly history?: History;
}

async function runRounds(world: World, rig: Rig): Promise<Finding> {
  await makeTenants(rig, TENANTS);
  const judge = createRoundJudge(rig);
  const plan = drawKills(world.random, { kills: world.kills, ...GAPS });
  const rounds: Round[] = [];
  const startedMs = performance.now();
  const late = () => performance.now() - startedMs > world.minutes * 60_000;
  for (let done = 0; done < plan.length && !late(); done += KILLS_PER_ROUND) {
    const kills = plan.slice(done, done + KILLS_PER_ROUND);
    rounds.push(await runRound(world, rig, judge, () => killAll(world, rig, kills, done)));
  }
  rounds.push(await runRound(world, rig, judge, () => restartAll(world, rig)));
  return conclude(rig, rounds);
}

/** What is stopped in order repeats nothing. */
async function restartAll(world: World, rig: Rig): Promise<void> {
  const times = byForm(world, { short: 1, tenMinutes: 1, long: 5 });
  for (let time = 0; time < times; time++) {
    world.say('  every service, broker and database restarted in order');
    await restartServices(rig);
    await restartInfra(rig);
  }
  const wanted = world.events - rig.events.sent.length;
  await delay(Math.max(0, (wanted * 1_000) / EVENTS_PER_SEC));
}

async function killAll(world: World, rig: Rig, kills: readonly PlannedKill[], before: number): Promise<void> {
  let done = before;
  await runKills(rig, kills, (kill, victim) => {
    done += 1;
    const clock = new Date().toISOString().slice(11, 19);
    world.say(
      `  ${clock} kill ${done}: ${victim} (${rig.events.sent.length} events, down ${kill.downMs} ms)`,
    );
  });
}

async function runRound(
  world: World,
  rig: Rig,
  judge: RoundJudge,
  harm: () => Promise<void>,
): Promise<Round> {
  const load = rig.events.start({ eventsPerSec: EVENTS_PER_SEC, senders: rig.senders });
  await delay(WARM_UP_MS);
  const baseline = await measureBaseline(rig);
  const brokenOff = await harm().then(
    () => [],
    (error: Error) => [`the plan broke off: ${error.message.slice(0, 500)}`],
  );
  const recovery = await recover(rig, load, baseline);
  const { verdict, evidence } = await judge.judge();
  const complaints = [...brokenOff, ...complaintsOf(verdict), ...recoveryComplaints(recovery)];
  const figures = verdictFigures(verdict, baseline, recovery);
  world.say(
    `  round: ${Object.entries(figures)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}`,
  );
  for (const complaint of complaints) world.say(`  ROUND FAILED: ${complaint}`);
  return {
    kinds: kindRows({ faults: rig.faults.filter(({ fromMs }) => inRound(evidence.sent, fromMs)) }, verdict),
    complaints,
    figures,
    ...(complaints.length > 0 ? { history: writeHistory(evidence, verdict, rig.ended) } : {}),
  };
}

const inRound = (sent: readonly { sentAtMs: number }[], atMs: number): boolean =>
  sent.length > 0 && sent[0]!.sentAtMs <= atMs;

function conclude(rig: Rig, rounds: readonly Round[]): Finding {
  const total = (name: string) => rounds.reduce((sum, { figures }) => sum + (figures[name] ?? 0), 0);
  const worst = (name: string) =>
    Math.max(...rounds.map(({ figures }) => figures[name] ?? Number.POSITIVE_INFINITY));
  const history = rounds.find((round) => round.history)?.history;
  const summed = [
    'sent',
    'ok',
    'refused',
    'unknown',
    'arrivals',
    'lost',
    'duplicates',
    'second_copies',
    'bound',
  ];
  return {
    figures: {
      rounds: rounds.length,
      kills: rig.faults.filter(({ what }) => what === 'SIGKILL').length,
      ...Object.fromEntries(summed.map((name) => [name, total(name)])),
      oldest_settled_ms: worst('oldest_settled_ms'),
      slowest_latency_back_ms: worst('latency_back_ms'),
      slowest_backlog_zero_ms: worst('backlog_zero_ms'),
      ended_by_themselves: rig.ended.length,
    },
    complaints: rounds.flatMap(({ complaints }, index) =>
      complaints.map((each) => `round ${index + 1}: ${each}`),
    ),
    kinds: addRows(rounds.flatMap(({ kinds }) => kinds)),
    ...(history ? { history } : {}),
  };
}
