import { setTimeout as delay } from 'node:timers/promises';
import type { Direction, Directions } from '@posthorn/testkit';
import type { Rig } from '../rig/start-rig.ts';
import { byForm } from './choose.ts';
import type { Scenario, World } from './scenario.ts';
import { type Notes, runUnderLoad } from './under-load.ts';

interface Cut {
  readonly member: string;
  readonly from: 'kafka' | 'postgres';
  readonly directions: Directions;
}

const MEMBERS = ['ingest-1', 'dispatcher-1', 'worker-1', 'recorder-1'];
const WAYS: readonly Direction[] = ['to-target', 'from-target'];
const BETWEEN_MS = 3_000;

const cuts = (directions: readonly Directions[]): Cut[] =>
  MEMBERS.flatMap((member) =>
    (['kafka', 'postgres'] as const).flatMap((from) =>
      directions.map((each) => ({ member, from, directions: each })),
    ),
  );

export const cutOneWay: Scenario = {
  id: 'D14',
  title: 'each service cut off from Kafka or Postgres in one direction only loses nothing',
  run: (world) => runCuts(world, cuts(WAYS), byForm(world, { short: 2, tenMinutes: 4, long: 16 })),
};

export const cutOff: Scenario = {
  id: 'D8',
  title:
    'a service cut off from Kafka or Postgres, or a leader cut off from all, costs no acknowledged event',
  run: (world) => runCuts(world, cuts(['both']), byForm(world, { short: 2, tenMinutes: 3, long: 8 })),
};

function runCuts(world: World, all: readonly Cut[], count: number) {
  const lengthMs = byForm(world, { short: 12_000, tenMinutes: 15_000, long: 30_000 });
  const chosen = world.random.shuffle(all).slice(0, count);
  return runUnderLoad(world, {
    rig: { sizes: { worker: 2 }, proxied: true },
    async during(rig, notes) {
      for (const cut of chosen) await cutOnce(world, rig, cut, lengthMs);
      notes.figure(
        'cuts',
        chosen.map(({ member, from, directions }) => `${member}/${from}/${directions}`).join(' '),
      );
      if (rig.infra.brokers.length > 1) await silenceLeaders(world, rig, notes, lengthMs);
    },
  });
}

async function cutOnce(
  world: World,
  rig: Rig,
  { member, from, directions }: Cut,
  lengthMs: number,
): Promise<void> {
  const link = rig.links.of(member);
  const proxies = from === 'kafka' ? link.kafka : [link.postgres];
  world.say(`  cut ${member} from ${from} (${directions})`);
  const fault = rig.harm('network', member, `cut off from ${from} (${directions})`);
  for (const proxy of proxies) proxy.silence(directions);
  await delay(lengthMs);
  // A network that is back does not bring old connections back.
  for (const proxy of proxies) {
    proxy.heal();
    proxy.reset();
  }
  rig.heal(fault);
  await delay(BETWEEN_MS);
}

/**
 * Each broker in turn: frozen, which is cut off both ways from all; then unheard by every service; then out of reach of
 * the other brokers alone, so that nobody can follow what it leads.
 */
async function silenceLeaders(world: World, rig: Rig, notes: Notes, lengthMs: number): Promise<void> {
  for (const [index, broker] of rig.infra.brokers.entries()) {
    world.say(`  cut off ${broker.name}: from all, one way from the services, from the other brokers`);
    const frozen = rig.harm('broker', broker.name, 'cut off from all');
    broker.signal('SIGSTOP');
    await delay(lengthMs);
    broker.signal('SIGCONT');
    rig.heal(frozen);
    await delay(BETWEEN_MS);
    const links = [...MEMBERS, 'worker-2'].map((member) => rig.links.of(member).kafka[index]!);
    const unheard = rig.harm('broker', broker.name, 'unheard by the services');
    for (const link of links) link.silence('from-target');
    await delay(lengthMs);
    for (const link of links) {
      link.heal();
      link.reset();
    }
    rig.heal(unheard);
    await delay(BETWEEN_MS);
    const alone = rig.harm('broker', broker.name, 'out of reach of its followers');
    rig.infra.peers[index]!.cut();
    await delay(lengthMs);
    rig.infra.peers[index]!.heal();
    rig.heal(alone);
    await delay(BETWEEN_MS);
  }
  notes.figure('leaders_cut_off', 3 * rig.infra.brokers.length);
}
