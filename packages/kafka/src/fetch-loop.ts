import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaLog } from './client.ts';
import type { FetchPace } from './fetch-pace.ts';
import type { FetchedBatch, InternalGroup } from './kafkajs-internals.ts';
import type { PartitionIntake } from './partition-intake.ts';
import { recoverPosition } from './recover-position.ts';
import type { Rejoin } from './rejoin.ts';

/**
 * What kafkajs' loop (fetch, heartbeat, join) does between two heartbeats, in our words: what it fetches is taken right
 * where the fetch returns, so that nothing waits in its queues and nothing of an earlier assignment is left in them.
 */

export interface FetchLoopOptions {
  readonly rejoin: Rejoin;
  readonly pace: FetchPace;
  readonly nowMs: () => number;
  readonly log: KafkaLog;
  mayAct(): boolean;
  /** False once the consumer is stopping or dead. */
  mayTake(): boolean;
  onBug(error: Error): void;
}

/** Shorter than this a finished span is read through: cheaper than a fetch of its own. */
const SEEK_OVER_RECORDS = 500;
const FENCE_POLL_MS = 20;

export function takeOverFetching(group: InternalGroup, options: FetchLoopOptions): void {
  const { rejoin, log } = options;
  const fetch = group.fetch.bind(group);
  shareJoins(group);
  group.fetch = async (nodeId) => {
    // A join that failed leaves kafkajs fetching under the old assignment.
    if (rejoin.rejoining) {
      await group.joinAndSync();
      return [];
    }
    // What may not be acted on need not be fetched: ask for a heartbeat, which kafkajs sends after an empty fetch.
    if (!options.mayAct()) {
      if (!rejoin.left) group.lastRequest = Number.NEGATIVE_INFINITY;
      await delay(FENCE_POLL_MS);
      return [];
    }
    const { joins } = rejoin;
    applyPace(group, options);
    const batches = await fetch(nodeId);
    const ours = !rejoin.rejoining && rejoin.joins === joins;
    if (ours && options.mayTake() && options.mayAct()) takeAll(group, batches, options);
    return [];
  };
  group.recoverFromOffsetOutOfRange = ({ topic, partition }) =>
    recoverPosition(rejoin, group, rejoin.find(topic, partition), log);
}

/** Fetchers of several brokers may each find that the group must be joined again. */
function shareJoins(group: InternalGroup): void {
  const join = group.joinAndSync.bind(group);
  let joining: Promise<void> | null = null;
  group.joinAndSync = () => {
    joining ??= join().finally(() => {
      joining = null;
    });
    return joining;
  };
}

function applyPace(group: InternalGroup, { rejoin, pace, mayTake }: FetchLoopOptions): void {
  let anyPaused = !mayTake();
  for (const { paused, parked } of rejoin.intakes) anyPaused ||= paused && !parked;
  const { minBytes, maxWaitMs } = pace.settings(anyPaused);
  group.minBytes = minBytes;
  group.maxWaitTime = maxWaitMs;
}

function takeAll(group: InternalGroup, batches: readonly FetchedBatch[], options: FetchLoopOptions): void {
  const { rejoin, pace, nowMs, log } = options;
  let records = 0;
  try {
    for (const batch of batches) {
      const intake = rejoin.find(batch.topic, batch.partition);
      if (intake === undefined) continue;
      const taken = intake.take(batch);
      if (taken) records += batch.messages.length;
      skipFinished(intake);
      rejoin.place(group, intake);
    }
  } catch (error) {
    // A handler that throws is a bug: going on would pass over its record, stopping here repeats it.
    log.error({ err: error }, 'a record could not be handed on');
    options.onBug(error as Error);
  }
  pace.observe(records, nowMs());
}

function skipFinished(intake: PartitionIntake): void {
  if (intake.nextUnfinished - intake.cursor > SEEK_OVER_RECORDS) intake.moveTo(intake.nextUnfinished);
}
