import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Restart, restartMember } from '../plan/restart-all.ts';
import { ROOT } from '../rig/start-infra.ts';
import type { Rig } from '../rig/start-rig.ts';
import { type Changes, prepareChanges } from './change-through-all.ts';
import { expectWholeRecord } from './expect-whole-record.ts';
import { expectOrderly } from './restart-in-order.ts';
import type { Finding, Scenario } from './scenario.ts';
import { type Notes, runUnderLoad } from './under-load.ts';

/** What is done next: members that move to the other version, or changes through every process of ingest. */
type Step = string | 'change';

/** Readers before writers, as the runbook of an upgrade has it. */
const FORWARD: readonly Step[] = [
  'recorder-1',
  'change',
  ...['dispatcher-1', 'change', 'dispatcher-2'],
  ...['worker-1', 'change', 'worker-2'],
  ...['ingest-1', 'change', 'ingest-2', 'change'],
];
/** The worst way back: whoever reads what the others write is the version before first. */
const BACK: readonly Step[] = [
  'recorder-1',
  'change',
  ...['dispatcher-1', 'ingest-1', 'change'],
  ...['worker-1', 'change', 'worker-2'],
  ...['dispatcher-2', 'ingest-2', 'change'],
];
/** The worst way forward: whoever writes what the others read is of this version first. */
const WRITERS_FIRST: readonly Step[] = [
  ...['ingest-1', 'change'],
  ...['worker-1', 'change', 'worker-2'],
  ...['dispatcher-1', 'dispatcher-2', 'change'],
  ...['ingest-2', 'recorder-1', 'change'],
];

/** What waits for a circuit is to be done with at the end. */
const SHORT_WAITS = {
  BREAKER_FIRST_PROBE_MS: '1000',
  BREAKER_MAX_PROBE_MS: '2000',
  CIRCUIT_LEAST_WAIT_MS: '1000',
  CIRCUIT_MAX_WAIT_MS: '4000',
};

export const runBothVersions: Scenario = {
  id: 'D26',
  title: 'this version and the one before run together, on the way forward, back and forward again',
  async run(world): Promise<Finding> {
    if (world.previous === undefined || !isCheckout(world.previous)) return skipped(world.previous);
    const previous = resolve(world.previous);
    return runUnderLoad(world, {
      rig: {
        root: previous,
        sizes: { ingest: 2, dispatcher: 2, worker: 2 },
        environment: { RETRY_SCHEDULE: '250ms,250ms,1s', ...SHORT_WAITS },
      },
      eventsPerSec: 40,
      async during(rig, notes) {
        const changes = await prepareChanges(rig, notes);
        try {
          await setUpMeanwhile(rig, notes, changes);
          await walk(rig, notes, changes, ROOT, FORWARD);
          await walk(rig, notes, changes, previous, BACK);
          await rig.setUp(previous);
          await walk(rig, notes, changes, ROOT, WRITERS_FIRST);
          await changes.finish();
        } finally {
          await changes.close();
        }
      },
      after(rig, notes) {
        expectNoneRefused(rig, notes);
        return expectWholeRecord(rig, notes);
      },
    });
  },
};

const isCheckout = (dir: string): boolean => existsSync(join(dir, 'node_modules'));

function skipped(dir: string | undefined): Finding {
  const why =
    dir === undefined
      ? 'needs --previous DIR, a checkout of the version before'
      : `${dir} has no node_modules: run pnpm install there`;
  return { figures: {}, complaints: [], skipped: why };
}

/** The job of this version beside all of the version before, while configuration is changed. */
async function setUpMeanwhile(rig: Rig, notes: Notes, changes: Changes): Promise<void> {
  const job = { done: false };
  const startedMs = performance.now();
  const setUp = rig.setUp(ROOT).then(
    () => 'well',
    (error: Error) => error.message,
  );
  void setUp.then(() => {
    job.done = true;
    notes.figure('set_up_ms', performance.now() - startedMs);
  });
  do await changes.make('during the set-up job');
  while (!job.done);
  const ended = await setUp;
  if (ended !== 'well') throw new Error(`the set-up job beside the version before: ${ended}`);
  await changes.make('after the set-up job');
}

/** A process that stops takes no connections: all that says no beside that is a version that knows less than the other. */
function expectNoneRefused({ events }: Rig, notes: Notes): void {
  const answers = events.sent.filter(({ answered, detail }) => answered === 'refused' && /^\d/.test(detail));
  for (const [detail, refused] of Map.groupBy(answers, (event) => event.detail))
    notes.expect(false, `${refused.length} events were answered ${detail}`);
}

async function walk(
  rig: Rig,
  notes: Notes,
  changes: Changes,
  root: string,
  steps: readonly Step[],
): Promise<void> {
  const way = root === ROOT ? 'to this version' : 'to the version before';
  let moved = '';
  for (const step of steps) {
    if (step === 'change') {
      await changes.make(`${moved} ${way}`);
      continue;
    }
    const member = rig.fleet.member(step);
    member.root = root;
    const restart: Restart = await restartMember(rig, member);
    expectOrderly(notes, restart);
    moved = step;
    await delay(500);
  }
}
