import { randomUUID } from 'node:crypto';
import { type EventId, mintEventId } from '@posthorn/contracts';
import type { ClaimNames, ClaimRow, HeldClaim } from '@posthorn/db';
import type { Logger } from '@posthorn/runtime';
import { isProblem, type Problem } from '../../http/problem.ts';
import type { AcceptedEvent } from '../accept-event.ts';
import type { Claims } from './claims.ts';
import { type LookParts, lookForEvent } from './look-for-event.ts';

export interface OnceRequest {
  readonly tenantId: string;
  readonly names: ClaimNames;
  /** The same for the same content alone. */
  readonly bodyHash: Buffer;
  /** Of `events`, where the tenant's events go. */
  readonly partition: number;
  /** Admits and produces under this id; starts no produce after `sendByMs` of the monotonic clock. */
  readonly make: (eventId: EventId, sendByMs: number) => Promise<AcceptedEvent | Problem>;
  /** The answer for an event that is in the record, stamped with `revision`. */
  readonly recall: (eventId: EventId, revision: number) => AcceptedEvent;
}

/** What became of a request with a key or an id. */
export type OnceResult =
  | 'made'
  | 'refused'
  | 'unknown'
  | 'repeated'
  | 'mismatched'
  | 'in_progress'
  | 'recovered'
  | 'database_away'
  | 'overloaded'
  /** Beside `made` or `recovered`. */
  | 'answer_not_stored';

export interface HoldParts extends LookParts {
  readonly claims: Claims;
  readonly produceTimeoutMs: number;
  /** What a lease has beyond that. */
  readonly marginMs: number;
  readonly log: Pick<Logger, 'warn'>;
  readonly count: (result: OnceResult) => void;
}

export const leaseMs = ({ produceTimeoutMs, marginMs }: HoldParts): number => produceTimeoutMs + marginMs;

/** Half of the margin is for the way of the claim, the other for what is in a socket when the produce is given up. */
const latestSend = ({ clock, marginMs }: HoldParts): number => clock.monotonicMs() + marginMs / 2;

/** Claims the names and produces; null when another request has one of them. */
export async function claim(parts: HoldParts, request: OnceRequest): Promise<AcceptedEvent | Problem | null> {
  const { tenantId, names, bodyHash, partition } = request;
  const held = { tenantId, eventId: mintEventId(parts.clock.nowMs()), leaseId: randomUUID() };
  const sendByMs = latestSend(parts);
  const lease = { ...held, partition, leaseMs: leaseMs(parts) };
  const isOurs = await parts.claims.insert({ ...names, ...lease, bodyHash });
  return isOurs ? produceUnder(parts, request, held, sendByMs) : null;
}

/** Takes a lapsed claim over and ends what its holder began; `undecided` gives it back, null: another was faster. */
export async function takeOver(
  parts: HoldParts,
  request: OnceRequest,
  row: ClaimRow,
  untilMs: number,
): Promise<AcceptedEvent | Problem | 'undecided' | null> {
  const lapsed = { tenantId: request.tenantId, eventId: row.eventId, leaseId: row.leaseId };
  const held = { ...lapsed, leaseId: randomUUID() };
  const lease = { leaseId: held.leaseId, leaseMs: leaseMs(parts) };
  if (!(await parts.claims.takeOver(lapsed, lease))) return null;
  const event = await lookForEvent(parts, held, row.partition, untilMs);
  switch (event.kind) {
    case 'recorded': {
      const answer = request.recall(held.eventId, event.revision);
      parts.count('recovered');
      await keep(parts, held, answer);
      return answer;
    }
    case 'absent':
      return produceAgain(parts, request, held);
    case 'undecided':
      await quietly(parts, parts.claims.leave(held), 'a lease was not given back, it runs out');
      return 'undecided';
    default:
      return event satisfies never;
  }
}

/** The same event id, under a lease of its full length. */
async function produceAgain(
  parts: HoldParts,
  request: OnceRequest,
  held: HeldClaim,
): Promise<AcceptedEvent | Problem | null> {
  const sendByMs = latestSend(parts);
  const lease = { partition: request.partition, leaseMs: leaseMs(parts) };
  const isOurs = await parts.claims.renew(held, lease);
  return isOurs ? produceUnder(parts, request, held, sendByMs) : null;
}

async function produceUnder(
  parts: HoldParts,
  request: OnceRequest,
  held: HeldClaim,
  sendByMs: number,
): Promise<AcceptedEvent | Problem> {
  const made = await request.make(held.eventId, sendByMs);
  if (!isProblem(made)) {
    parts.count('made');
    await keep(parts, held, made);
  } else if (made.code === 'outcome_unknown') {
    parts.count('unknown');
  } else {
    parts.count('refused');
    await quietly(parts, parts.claims.release(held), 'a refused event holds its names until its lease ends');
  }
  return made;
}

/** An answer that cannot be stored is given all the same: whoever asks again finds the event in the record. */
async function keep(parts: HoldParts, held: HeldClaim, answer: AcceptedEvent): Promise<void> {
  const storing = parts.claims.storeAnswer(held, JSON.stringify(answer));
  const stored = await quietly(parts, storing, 'the answer for a key or event_id was not stored');
  if (!stored) parts.count('answer_not_stored');
}

async function quietly<T>(
  { log }: Pick<HoldParts, 'log'>,
  work: Promise<T>,
  whatFailed: string,
): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    log.warn({ err: error }, whatFailed);
    return null;
  }
}
