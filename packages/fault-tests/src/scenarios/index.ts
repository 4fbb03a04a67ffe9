import { changeWhileWaiting } from './change-while-waiting.ts';
import { cutOff, cutOneWay } from './cut-one-way.ts';
import { cutProduceReply } from './cut-produce-reply.ts';
import { damageOffsets } from './damage-offsets.ts';
import { dieAtEachStep, dieBetweenPublishAndCommit } from './die-at-each-step.ts';
import { fillDisk } from './fill-disk.ts';
import { freezeBroker } from './freeze-broker.ts';
import { freezeWorker } from './freeze-worker.ts';
import { growLanes } from './grow-lanes.ts';
import { greedyTenants, hangingEndpoint } from './isolate-neighbours.ts';
import { killBroker } from './kill-broker.ts';
import { killEverything } from './kill-everything.ts';
import { killPostgres } from './kill-postgres.ts';
import { poisonTopics } from './poison-topics.ts';
import { recordLate } from './record-late.ts';
import { recordTwice } from './record-twice.ts';
import { refuseUnsafe } from './refuse-unsafe.ts';
import { replayByHand } from './replay-by-hand.ts';
import { replayDeadLetters, replayTwiceAtOnce } from './replay-dead-letters.ts';
import { restartInOrder } from './restart-in-order.ts';
import { runBothVersions } from './run-both-versions.ts';
import { scaleWorkers } from './scale-workers.ts';
import type { Form, Scenario } from './scenario.ts';
import { shiftClocks } from './shift-clocks.ts';
import { slowPostgres } from './slow-postgres.ts';
import { startBehind } from './start-behind.ts';

/** In the order in which they are run. */
export const SCENARIOS: readonly Scenario[] = [
  killEverything,
  dieAtEachStep,
  restartInOrder,
  freezeWorker,
  scaleWorkers,
  killBroker,
  freezeBroker,
  cutOff,
  refuseUnsafe,
  cutProduceReply,
  killPostgres,
  slowPostgres,
  fillDisk,
  cutOneWay,
  shiftClocks,
  recordLate,
  recordTwice,
  poisonTopics,
  hangingEndpoint,
  greedyTenants,
  changeWhileWaiting,
  replayDeadLetters,
  replayByHand,
  replayTwiceAtOnce,
  startBehind,
  damageOffsets,
  runBothVersions,
  dieBetweenPublishAndCommit,
  growLanes,
];

/** What a form runs unless scenarios are named; the long one runs all. */
const CHOSEN: Readonly<Record<Form, readonly string[] | undefined>> = {
  short: ['D1', 'D3', 'D6', 'D11'],
  'ten-minutes': ['D1', 'D3', 'D4', 'D5', 'D6', 'D7', 'D11', 'D18', 'D22', 'D23', 'D27'],
  long: undefined,
};

/** @throws Error naming what is no scenario. */
export function chooseScenarios(form: Form, only: readonly string[]): readonly Scenario[] {
  const unknown = only.filter((id) => !SCENARIOS.some((each) => each.id === id));
  if (unknown.length > 0) throw new Error(`--only ${unknown.join()}: there is no such scenario; see --list`);
  const ids = only.length > 0 ? only : CHOSEN[form];
  return ids === undefined ? SCENARIOS : SCENARIOS.filter(({ id }) => ids.includes(id));
}
