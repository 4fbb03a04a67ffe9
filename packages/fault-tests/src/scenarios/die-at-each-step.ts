import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceName } from '@posthorn/system-tests';
import type { Evidence } from '../oracle/ledgers.ts';
import type { Rig } from '../rig/start-rig.ts';
import { NO_CIRCUITS } from './choose.ts';
import type { Scenario, World } from './scenario.ts';
import { type Notes, runUnderLoad } from './under-load.ts';

/** A place in the code at which a process kills itself, in the service that passes it. */
interface Step {
  readonly service: ServiceName;
  readonly name: string;
}

const step = (service: ServiceName, ...names: string[]): Step[] => names.map((name) => ({ service, name }));

const STEPS: readonly Step[] = [
  ...step('ingest', 'before-produce', 'after-produce', 'before-202', 'after-202'),
  ...step('dispatcher', 'after-fan-out-publish', 'after-release-publish'),
  ...step('worker', 'mid-request', 'after-2xx', 'before-journal', 'after-journal'),
  ...step('worker', 'after-retry-publish', 'after-dead-letter-publish', 'at-revocation'),
];
const BETWEEN = STEPS.filter(({ name }) =>
  ['after-fan-out-publish', 'after-retry-publish', 'after-release-publish'].includes(name),
);

/** At which pass it dies: late enough that others are under way. */
const NTH_PASS = { least: 5, most: 15 };
/** A member passes it once when it joins. */
const REVOCATION = 2;
const DIES_WITHIN_MS = 40_000;
const CHAINS_END_MS = 6_000;
const LANES_MOVE_MS = 3_000;

export const dieAtEachStep: Scenario = {
  id: 'D2',
  title: 'a process that dies at any step loses nothing and repeats an item once at most',
  run: (world) => dieAt(world, STEPS),
};

export const dieBetweenPublishAndCommit: Scenario = {
  id: 'D27',
  title:
    'a death between publish and commit makes one duplicate request at most, never a second chain of retries',
  run: (world) => dieAt(world, BETWEEN),
};

function dieAt(world: World, steps: readonly Step[]) {
  return runUnderLoad(world, {
    rig: { environment: { RETRY_SCHEDULE: '250ms,1s,1s', ...NO_CIRCUITS } },
    endpoints: [
      { label: 'prompt' },
      { label: 'slow', behaviour: { delayMs: 200 } },
      { label: 'flaky', behaviour: { failFirstPercent: 20 } },
      { label: 'broken', behaviour: { failAttempts: 99 }, eventTypes: ['load.broken'] },
    ],
    async during(rig, notes) {
      const stop = keepBreaking(rig);
      for (const each of steps) await dieOnce(world, rig, notes, each);
      await stop();
      notes.figure('steps', steps.map(({ name }) => name).join(' '));
    },
    after: (_rig, notes, verdict, evidence) => {
      const worst = mostRequests(evidence);
      notes.figure('most_requests_of_one_attempt', worst);
      notes.expect(worst <= 2, `one attempt made ${worst} requests`);
      notes.expect(verdict.repeats.copies === 0, `${verdict.repeats.copies} second copies were sent`);
    },
  });
}

async function dieOnce(world: World, rig: Rig, notes: Notes, { service, name }: Step): Promise<void> {
  const isRevocation = name === 'at-revocation';
  const nth = isRevocation ? REVOCATION : Math.round(world.random.between(NTH_PASS.least, NTH_PASS.most));
  const member = rig.fleet.member(`${service}-1`);
  const before = rig.ended.length;
  await member.stop();
  await member.start({ POSTHORN_FAILPOINT: `${name}:${nth}` });
  const deadline = performance.now() + DIES_WITHIN_MS;
  while (rig.ended.length === before && performance.now() < deadline) {
    if (isRevocation) await moveLanes(rig);
    await delay(100);
  }
  const died = rig.ended.length > before;
  world.say(`  ${service} ${died ? 'died' : 'did not die'} ${name} (pass ${nth})`);
  notes.expect(died, `${service} never came to ${name}`);
  while (!member.up) await delay(100);
  // The chains of retries that it cut off end before the next stop, which forgets what it remembers of them.
  await delay(CHAINS_END_MS);
}

/** Another worker comes and goes. */
async function moveLanes(rig: Rig): Promise<void> {
  const found = rig.fleet.members('worker').find(({ name }) => name === 'worker-2');
  if (found) await found.start();
  const other = found ?? (await rig.fleet.add('worker'));
  await delay(LANES_MOVE_MS);
  await other.stop();
}

/** A few deliveries that end as dead letters all the while. */
function keepBreaking(rig: Rig): () => Promise<void> {
  const posts: Promise<unknown>[] = [];
  const timer = setInterval(() => {
    posts.push(rig.events.post(rig.senders[posts.length % rig.senders.length]!, 'load.broken'));
  }, 500);
  return async () => {
    clearInterval(timer);
    await Promise.all(posts);
  };
}

function mostRequests({ arrivals }: Evidence): number {
  const perAttempt = Map.groupBy(
    arrivals,
    ({ deliveryId, run, attempt }) => `${deliveryId} ${run} ${attempt}`,
  );
  return Math.max(0, ...[...perAttempt.values()].map((group) => group.length));
}
