import { expect } from 'vitest';
import type { Lane, Slot, Work } from '../src/schedule/lane.ts';

/** Endpoint ids are `t<tenant>e<endpoint>`, so that a model knows everything from an id. */
export interface Item extends Work {
  readonly id: number;
}

export const BOUNDS = { maxSlots: 24, maxBytes: 160, tenantSharePercent: 50 };

export type Stage = 'held' | 'queued' | 'in_flight' | 'settling' | 'ended';

export interface Entry {
  readonly key: string;
  readonly tenant: string;
  readonly endpoint: string;
  readonly lane: Lane;
  readonly work: Item;
  stage: Stage;
  slot: Slot<Item> | null;
  heldUntilMs: number;
}

/** A bucket that holds a second's worth, full at first, and what was started out of it. */
export function hasToken(starts: readonly number[], maxPerSec: number, nowMs: number): boolean {
  let tokens = maxPerSec;
  let atMs = 0;
  for (const startMs of starts) {
    tokens = Math.min(maxPerSec, tokens + ((startMs - atMs) * maxPerSec) / 1_000) - 1;
    atMs = startMs;
  }
  return Math.min(maxPerSec, tokens + ((nowMs - atMs) * maxPerSec) / 1_000) > 1 - 1e-6;
}

export function holdToBounds(entries: readonly Entry[], lane: Lane): void {
  const open = entries.filter((entry) => entry.lane === lane && entry.stage !== 'ended');
  const works = new Set(open.map(({ work }) => work));
  const bytes = [...works].reduce((sum, work) => sum + work.bytes, 0);
  expect(lane.heldBytes).toBe(bytes);
  if (works.size > 1) expect(bytes).toBeLessThanOrEqual(BOUNDS.maxBytes);
  // What was put back or held is never refused.
  const queued = open.filter((entry) => entry.stage === 'queued').length;
  const returned = open.filter((entry) => entry.slot !== null).length;
  expect(queued).toBeLessThanOrEqual(BOUNDS.maxSlots + returned);
}
