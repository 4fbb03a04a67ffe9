import { deriveDeliveryId, type EndpointId, mintEventId } from '@posthorn/contracts';
import { isDataError, type NewReplay, type ReplayRow } from '@posthorn/db';
import type { TrackedRecord } from '@posthorn/kafka';
import type { Clock, Logger } from '@posthorn/runtime';
import { createBackOff } from '../back-off.ts';
import { Abandoned } from '../send.ts';
import { decideReplay, type ReplayRefusal } from './decide-replay.ts';
import type { ReplayRequest } from './read-request.ts';
import type { ReplayStore } from './replay-store.ts';

/** A delivery that starts again, or for the first time, and how. */
export interface OpenedRound {
  readonly kind: 'first' | 'next_round' | 'next_run' | 'repeated';
  readonly endpointId: EndpointId;
  readonly deliveryId: string;
  readonly run: number;
  readonly round: number;
}

export type Opening =
  | OpenedRound
  | {
      readonly kind: 'refused';
      readonly reason: string;
      readonly endpointId: EndpointId;
      readonly deliveryId: string;
    }
  /** Nothing is recorded of the delivery yet, and it may be waited for. */
  | { readonly kind: 'unrecorded'; readonly endpointId: EndpointId };

export interface OpenRoundOptions {
  readonly store: ReplayStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** One endpoint of a record that asks for a replay. */
export interface Asked {
  readonly record: TrackedRecord;
  readonly request: ReplayRequest;
  readonly endpointId: EndpointId;
  /** Whether a delivery that nobody has recorded is waited for, or refused. */
  readonly mayWait: boolean;
}

const FIRST_RETRY_MS = 200;

/**
 * Opens the next round or run of one delivery for the record that asks for it, once: what was decided for this record
 * before is decided again, and a round that another record has opened is refused.
 * @throws Abandoned, or an error of Postgres about the data itself
 */
export async function openRound(options: OpenRoundOptions, asked: Asked): Promise<Opening> {
  const standing = await findStanding(options, asked);
  const decision = decideReplay(standing, asked.request);
  const opens = decision.kind !== 'refused' && decision.kind !== 'unrecorded';
  if (opens) return claim(options, asked, newReplay(options, asked, standing, decision), decision.kind);

  // It may be this very record that has moved the delivery on, when it was read before.
  const before = await ask(options, asked, () => options.store.findReplay(sourceOf(asked), asked.endpointId));
  if (before) return repeat(options, asked, before);
  if (decision.kind === 'unrecorded' && asked.mayWait) {
    return { kind: 'unrecorded', endpointId: asked.endpointId };
  }
  const reason = decision.kind === 'refused' ? decision.reason : 'unknown_delivery';
  return refuse(options, asked, newReplay(options, asked, standing), reason);
}

const findStanding = (options: OpenRoundOptions, asked: Asked) =>
  ask(options, asked, () => {
    const { tenantId, eventId } = asked.request.event;
    return options.store.findStanding(tenantId, eventId, asked.endpointId);
  });

async function claim(
  options: OpenRoundOptions,
  asked: Asked,
  replay: NewReplay,
  kind: 'first' | 'next_round' | 'next_run',
): Promise<Opening> {
  const made = await ask(options, asked, () => options.store.claim(replay));
  const { deliveryId, run, round } = replay;
  switch (made.kind) {
    case 'claimed':
      return { kind, endpointId: asked.endpointId, deliveryId, run, round };
    case 'mine':
      return repeat(options, asked, made.replay);
    case 'taken':
      return refuse(options, asked, replay, 'already_replayed');
    default:
      return made satisfies never;
  }
}

async function refuse(
  options: OpenRoundOptions,
  asked: Asked,
  replay: NewReplay,
  reason: ReplayRefusal,
): Promise<Opening> {
  await ask(options, asked, () => options.store.refuse(replay, reason));
  return { kind: 'refused', reason, endpointId: asked.endpointId, deliveryId: replay.deliveryId };
}

/** The record was read before. Its round is published again unless the record shows that somebody has tried it. */
async function repeat(options: OpenRoundOptions, asked: Asked, before: ReplayRow): Promise<Opening> {
  const { endpointId } = asked;
  const { deliveryId, run, round } = before;
  if (before.state === 'refused')
    return { kind: 'refused', reason: before.reason ?? '', endpointId, deliveryId };
  const standing = await findStanding(options, asked);
  const opened = standing !== undefined && standing.run === run && standing.round === round;
  const later =
    standing !== undefined && (standing.run > run || (standing.run === run && standing.round > round));
  if (later || (opened && standing.state !== 'pending')) {
    return { kind: 'refused', reason: 'already_replayed', endpointId, deliveryId };
  }
  return { kind: 'repeated', endpointId, deliveryId, run, round };
}

interface Place {
  readonly run: number;
  readonly round: number;
}

/** Without a place to go to: where the delivery stands, as a refusal is kept. */
function newReplay(
  { clock }: OpenRoundOptions,
  asked: Asked,
  standing: (Place & { readonly deliveryId: string }) | undefined,
  to: Place = standing ?? { run: 0, round: 0 },
): NewReplay {
  const { event } = asked.request;
  const deliveryId = deriveDeliveryId(event.eventId, asked.endpointId, to.run);
  return {
    replayId: mintEventId(clock.nowMs()),
    tenantId: event.tenantId,
    eventId: event.eventId,
    endpointId: asked.endpointId,
    deliveryId,
    previousDeliveryId: standing?.deliveryId ?? deliveryId,
    run: to.run,
    round: to.round,
    source: sourceOf(asked),
  };
}

const sourceOf = ({ record }: Asked): NewReplay['source'] => ({
  topic: record.topic,
  partition: record.partition,
  offset: record.offset,
});

const ask = <T>(options: OpenRoundOptions, { record }: Asked, query: () => Promise<T>): Promise<T> =>
  untilAnswered(options, record, query);

/** A replay waits while Postgres is away: a claim that was not made would be a replay made twice. */
export async function untilAnswered<T>(
  options: Pick<OpenRoundOptions, 'log'>,
  record: Pick<TrackedRecord, 'live'>,
  query: () => Promise<T>,
): Promise<T> {
  const backOff = createBackOff(FIRST_RETRY_MS);
  for (;;) {
    if (!record.live) throw new Abandoned();
    try {
      return await query();
    } catch (error) {
      if (isDataError(error)) throw error;
      options.log.warn({ err: error, retry_ms: backOff.nextMs }, 'a replay waits for postgres');
    }
    await backOff.wait();
  }
}
