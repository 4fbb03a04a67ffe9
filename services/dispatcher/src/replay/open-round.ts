import { deriveDeliveryId, type EndpointId, type EventMeta, mintEventId } from '@posthorn/contracts';
import { isDataError, type NewReplay, type ReplayRow } from '@posthorn/db';
import type { TrackedRecord } from '@posthorn/kafka';
import type { Clock, Logger } from '@posthorn/runtime';
import { Abandoned, delay } from '../send.ts';
import { decideReplay, type ReplayRefusal } from './decide-replay.ts';
import type { ReplayStore } from './replay-store.ts';

/** A delivery that starts again, and how. */
export interface OpenedRound {
  readonly kind: 'next_round' | 'next_run' | 'repeated';
  readonly endpointId: EndpointId;
  readonly deliveryId: string;
  readonly run: number;
  readonly round: number;
}

export type Opening =
  | OpenedRound
  | { readonly kind: 'refused'; readonly reason: string; readonly deliveryId: string };

export interface OpenRoundOptions {
  readonly store: ReplayStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long a delivery that the record does not know yet is waited for. */
  readonly maxUnknownWaitMs: number;
}

const UNKNOWN_POLL_MS = 500;
const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 5_000;

/**
 * Opens the next round or run of one delivery for the record that asks for it, once: what was decided for this record
 * before is decided again, and a round that another record has opened is refused.
 * @throws Abandoned, or an error of Postgres about the data itself
 */
export async function openRound(
  options: OpenRoundOptions,
  record: TrackedRecord,
  event: EventMeta,
  endpointId: EndpointId,
): Promise<Opening> {
  const { store, clock } = options;
  const source = { topic: record.topic, partition: record.partition, offset: record.offset };
  const ask = <T>(query: () => Promise<T>): Promise<T> => untilAnswered(options, record, query);

  const before = await ask(() => store.findReplay(source, endpointId));
  if (before) return repeat(options, record, event, endpointId, before);

  const { decision, standing } = await decideWhenKnown(options, record, event, endpointId);
  const refused = decision.kind === 'refused';
  const run = refused ? (standing?.run ?? 0) : decision.run;
  const round = refused ? (standing?.round ?? 0) : decision.round;
  const deliveryId = deriveDeliveryId(event.eventId, endpointId, run);
  const replay: NewReplay = {
    replayId: mintEventId(clock.nowMs()),
    tenantId: event.tenantId,
    eventId: event.eventId,
    endpointId,
    deliveryId,
    previousDeliveryId: standing?.deliveryId ?? deliveryId,
    run,
    round,
    source,
  };
  const refuse = async (reason: ReplayRefusal): Promise<Opening> => {
    await ask(() => store.refuse(replay, reason));
    return { kind: 'refused', reason, deliveryId };
  };

  if (refused) return refuse(decision.reason);
  const claim = await ask(() => store.claim(replay));
  switch (claim.kind) {
    case 'claimed':
      return { kind: decision.kind, endpointId, deliveryId, run, round };
    case 'mine':
      return repeat(options, record, event, endpointId, claim.replay);
    case 'taken':
      return refuse('already_replayed');
    default:
      return claim satisfies never;
  }
}

/** The record was read before. Its round is published again unless the record shows that somebody has tried it. */
async function repeat(
  options: OpenRoundOptions,
  record: TrackedRecord,
  event: EventMeta,
  endpointId: EndpointId,
  before: ReplayRow,
): Promise<Opening> {
  const { deliveryId, run, round } = before;
  if (before.state === 'refused') return { kind: 'refused', reason: before.reason ?? '', deliveryId };
  const standing = await untilAnswered(options, record, () =>
    options.store.findStanding(event.tenantId, event.eventId, endpointId),
  );
  const opened = standing !== undefined && standing.run === run && standing.round === round;
  const later =
    standing !== undefined && (standing.run > run || (standing.run === run && standing.round > round));
  if (later || (opened && standing.state !== 'pending')) {
    return { kind: 'refused', reason: 'already_replayed', deliveryId };
  }
  return { kind: 'repeated', endpointId, deliveryId, run, round };
}

async function decideWhenKnown(
  options: OpenRoundOptions,
  record: TrackedRecord,
  event: EventMeta,
  endpointId: EndpointId,
) {
  const { store, clock } = options;
  const untilMs = clock.monotonicMs() + options.maxUnknownWaitMs;
  for (;;) {
    const standing = await untilAnswered(options, record, () =>
      store.findStanding(event.tenantId, event.eventId, endpointId),
    );
    const decision = decideReplay(standing, clock.monotonicMs() < untilMs);
    if (decision.kind !== 'wait') return { decision, standing };
    await delay(UNKNOWN_POLL_MS);
  }
}

/** A replay waits while Postgres is away: a claim that was not made would be a replay made twice. */
export async function untilAnswered<T>(
  options: Pick<OpenRoundOptions, 'log'>,
  record: Pick<TrackedRecord, 'live'>,
  query: () => Promise<T>,
): Promise<T> {
  let retryMs = FIRST_RETRY_MS;
  for (;;) {
    if (!record.live) throw new Abandoned();
    try {
      return await query();
    } catch (error) {
      if (isDataError(error)) throw error;
      options.log.warn({ err: error, retry_ms: retryMs }, 'a replay waits for postgres');
    }
    await delay(retryMs);
    retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
  }
}
