/** What stands beside the way of a delivery: replays, the side topic of the lanes, and what a round has spent. */

import { COUNT, countOf, type Headers, quote, RecordFormatError, required } from './header-fields.ts';
import type { EndpointId } from './ids.ts';
import { MAX_SLOTS } from './topics.ts';

/** What a delivery has waited for within its round: durations, so that no two clocks are compared. */
export interface EffortMeta {
  /** Waits between attempts and the attempts themselves, in milliseconds. */
  readonly spentMs: number;
  /** Waits that an open circuit imposed, in milliseconds. */
  readonly circuitMs: number;
}

/** A record of a lane, in one of its two topics. */
type LaneTopic = 'deliveries' | 'overflow';

/** Which record a copy in `overflow` was made of, and which of the original's slots it took along. */
export interface OriginMeta {
  readonly topic: LaneTopic;
  readonly offset: number;
  readonly slots: readonly number[];
}

/** What an earlier owner of a lane has settled after he lost it. */
export interface SettledMeta {
  readonly topic: LaneTopic;
  readonly offset: number;
  readonly slot: number;
}

/**
 * What a record in `replay` asks for: to send its event to these endpoints again. 1–64 of them. `expect` is where the
 * delivery must stand (else it was replayed already); `missing` asks for a first delivery of what was never sent.
 */
export function encodeReplay(replay: {
  readonly slots: readonly EndpointId[];
  readonly replayId: string;
  readonly expect?: { readonly run: number; readonly round: number };
  readonly missing?: boolean;
}): Headers {
  const headers: Headers = { ph_slots: replay.slots.join(','), ph_replay_id: replay.replayId };
  if (replay.expect) headers.ph_expect = `${replay.expect.run},${replay.expect.round}`;
  if (replay.missing) headers.ph_missing = 'true';
  return headers;
}

export interface ReplayMeta {
  /** Null for a copy that somebody made in Kafka. */
  readonly replayId: string | null;
  readonly expect: { readonly run: number; readonly round: number } | null;
  readonly missing: boolean;
}

/** @throws RecordFormatError naming the header that is malformed. */
export function decodeReplay(headers: Headers): ReplayMeta {
  const expected = /^(\d{1,9}),(\d{1,9})$/.exec(headers.ph_expect ?? '');
  if (headers.ph_expect !== undefined && expected === null) {
    throw new RecordFormatError(`header ph_expect is ${quote(headers.ph_expect)}`);
  }
  return {
    replayId: headers.ph_replay_id ?? null,
    expect: expected && { run: Number(expected[1]), round: Number(expected[2]) },
    missing: headers.ph_missing === 'true',
  };
}

/** A dead letter that somebody put back into `dead-letters` with this header set to `true` asks to be replayed. */
export const asksForReplay = (headers: Headers): boolean => headers.ph_replay?.trim() === 'true';

/** Left out while both are 0, as on a first attempt. */
export function encodeEffort({ spentMs, circuitMs }: EffortMeta): Headers {
  const headers: Headers = {};
  if (spentMs > 0) headers.ph_spent_ms = String(Math.round(spentMs));
  if (circuitMs > 0) headers.ph_circuit_ms = String(Math.round(circuitMs));
  return headers;
}

/** 0 for what is missing or no count: a budget that cannot be read starts again. */
export function effortOf(headers: Headers): EffortMeta {
  return { spentMs: countOf(headers.ph_spent_ms), circuitMs: countOf(headers.ph_circuit_ms) };
}

export function encodeOrigin({ topic, offset, slots }: OriginMeta): Headers {
  return { ph_origin: `${topic}:${offset}`, ph_origin_slots: slots.join(',') };
}

/** @throws RecordFormatError naming the header that is missing or malformed. */
export function decodeOrigin(headers: Headers): OriginMeta {
  const slots = required(headers, 'ph_origin_slots').split(',');
  if (slots.length > MAX_SLOTS || !slots.every((slot) => COUNT.test(slot) && Number(slot) < MAX_SLOTS)) {
    throw new RecordFormatError(`header ph_origin_slots is ${quote(headers.ph_origin_slots)}`);
  }
  const match = /^(deliveries|overflow):(\d{1,15})$/.exec(required(headers, 'ph_origin'));
  if (match === null) throw new RecordFormatError(`header ph_origin is ${quote(headers.ph_origin)}`);
  return { topic: match[1] as LaneTopic, offset: Number(match[2]), slots: slots.map(Number) };
}

export function encodeSettled({ topic, offset, slot }: SettledMeta): Headers {
  return { ph_settled: `${topic}:${offset}:${slot}` };
}

/** Null for a record that is no control record. @throws RecordFormatError when it is one and malformed. */
export function decodeSettled(headers: Headers): SettledMeta | null {
  const text = headers.ph_settled;
  if (text === undefined) return null;
  const match = /^(deliveries|overflow):(\d{1,15}):(\d{1,2})$/.exec(text);
  if (match === null) throw new RecordFormatError(`header ph_settled is ${quote(text)}`);
  return { topic: match[1] as LaneTopic, offset: Number(match[2]), slot: Number(match[3]) };
}

/** Names the assignment under which a copy in `overflow` was made. */
export const encodeMover = (mover: string): Headers => ({ ph_mover: mover });

/** Undefined for a record that is no copy. */
export const moverOf = (headers: Headers): string | undefined => headers.ph_mover;

/** Of a copy that leaves its lane: where it came from and who moved it say nothing there. */
export function withoutOrigin(headers: Headers): Headers {
  const { ph_origin: _origin, ph_origin_slots: _slots, ph_mover: _mover, ...rest } = headers;
  return rest;
}

/** The revision of the configuration that put a record on its lane. */
export const encodePlaced = (revision: number): Headers => ({ ph_placed: String(revision) });

/** 0 for a record that was not moved to its lane. */
export const placedOf = (headers: Headers): number => countOf(headers.ph_placed);

/** More turns than this are not told apart. */
const MAX_CROWDED = 99;

/** How often a record took one more turn on the tiers because its tenant's rate was used up. */
export const encodeCrowded = (turns: number): Headers => ({
  ph_crowded: String(Math.min(turns, MAX_CROWDED)),
});

/** 0 for what is missing or no such count. */
export function crowdedOf({ ph_crowded: text }: Headers): number {
  return text !== undefined && /^\d{1,2}$/.test(text) ? Number(text) : 0;
}
