import { changeWhileWaiting } from './change-while-waiting.ts';
import { cutOff, cutOneWay } from './cut-one-way.ts';
import { cutProduceReply } from './cut-produce-reply.ts';
import { damageOffsets } from './damage-offsets.ts';
import { dieAtEachStep, dieBetweenPublishAndCommit } from './die-at-each-step.ts';
import { fillDisk } from './fill-disk.ts';
import { freezeBroker } from './freeze-broker.ts';
import { freezeWorker } from './freeze-worker.ts';
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
import { scaleWorkers } from './scale-workers.ts';
import type { Scenario } from './scenario.ts';
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
  dieBetweenPublishAndCommit,
];
