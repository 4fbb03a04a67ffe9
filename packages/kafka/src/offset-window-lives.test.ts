import { propertyRuns } from '@posthorn/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HeldUntil } from './held-slots.ts';
import { OffsetWindow, type WindowSnapshot } from './offset-window.ts';
import { decodeMap, type OffsetMap } from './window-encoding.ts';
import { heldForMs, isSlotDone, type WindowEntry } from './window-entry.ts';

/**
 * The life of one partition under one owner after another: each reads, finishes, passes over and reads again as it
 * likes, and ends in a crash or by handing over what is under way. The log is 100 to 250 with gaps.
 */

const START = 100;
const END = 250;
const exists = (offset: number) => offset % 11 !== 0;
const slotsOf = (offset: number) => 1 + ((offset * 7) % 5);
const keyOf = (offset: number, slot: number) => `${offset}/${slot}`;

interface World {
  nowMs: number;
  committed: WindowSnapshot;
  truncated: boolean;
  /** How often each slot was done. */
  readonly done: Map<string, number>;
  /** Until when an owner who handed a slot over may settle it. */
  readonly underWay: Map<string, number>;
}

class Owner {
  readonly #world: World;
  readonly #skewMs: number;
  readonly #maxChars: number;
  readonly window: OffsetWindow;
  readonly inHand = new Map<number, WindowEntry>();

  constructor(world: World, skewMs: number, maxChars: number) {
    this.#world = world;
    this.#skewMs = skewMs;
    this.#maxChars = maxChars;
    this.window = new OffsetWindow(world.committed.offset, mapOf(world.committed), this.localMs);
  }

  get localMs(): number {
    return this.#world.nowMs + this.#skewMs;
  }

  read(accepts: boolean): boolean {
    let offset = this.window.cursor;
    while (offset < END && !exists(offset)) offset++;
    if (offset >= END) return false;
    const entry = this.window.add(offset, slotsOf(offset));
    if (entry === null) {
      expect(this.inHand.has(offset) || this.#isDone(offset)).toBe(true);
      return true;
    }
    expect(this.inHand.has(offset)).toBe(false);
    this.#expectHeld(entry);
    if (accepts) this.inHand.set(offset, entry);
    else this.window.withdraw(entry);
    return true;
  }

  #isDone(offset: number): boolean {
    for (let slot = 0; slot < slotsOf(offset); slot++) {
      if (!this.#world.done.has(keyOf(offset, slot))) return false;
    }
    return true;
  }

  /** Whom a hand-over left at it is never overtaken. */
  #expectHeld(entry: WindowEntry): void {
    for (let slot = 0; slot < entry.slots; slot++) {
      const untilMs = this.#world.underWay.get(keyOf(entry.offset, slot));
      if (untilMs === undefined || isSlotDone(entry, slot)) continue;
      expect(heldForMs(entry, slot, this.localMs)).toBeGreaterThanOrEqual(untilMs - this.#world.nowMs);
    }
  }

  openSlots(isHeld: boolean): Array<[WindowEntry, number]> {
    const open: Array<[WindowEntry, number]> = [];
    for (const entry of this.inHand.values()) {
      for (let slot = 0; slot < entry.slots; slot++) {
        if (isSlotDone(entry, slot)) continue;
        if (heldForMs(entry, slot, this.localMs) > 0 === isHeld) open.push([entry, slot]);
      }
    }
    return open;
  }

  finish(entry: WindowEntry, slot: number): void {
    const { done, underWay } = this.#world;
    const key = keyOf(entry.offset, slot);
    done.set(key, (done.get(key) ?? 0) + 1);
    underWay.delete(key);
    expect(this.window.complete(entry, slot)).toBe(true);
    if (entry.remaining === 0) this.inHand.delete(entry.offset);
  }

  passOver(pick: number): void {
    const entry = [...this.inHand.values()][pick % Math.max(1, this.inHand.size)];
    if (entry === undefined) return;
    expect(this.window.passOver(entry)).toBe(true);
    expect(this.window.complete(entry)).toBe(false);
    this.inHand.delete(entry.offset);
  }

  commit(underWay: Map<number, HeldUntil> | null = null): void {
    const { done } = this.#world;
    const snapshot = this.window.snapshot(this.#maxChars, this.localMs, underWay);
    this.#world.committed = snapshot;
    this.#world.truncated ||= snapshot.truncated;
    const { holes, end } = mapOf(snapshot);
    expect(snapshot.map.length).toBeLessThanOrEqual(this.#maxChars);
    for (let offset = START; offset < END; offset++) {
      for (let slot = 0; exists(offset) && slot < slotsOf(offset); slot++) {
        if (done.has(keyOf(offset, slot))) continue;
        expect(snapshot.offset).toBeLessThanOrEqual(offset);
        const hole = holes.find(({ start, length }) => offset >= start && offset < start + length);
        if (offset < end) expect(((hole!.bits?.[slot >> 3] ?? 0) >> (slot & 7)) & 1).toBe(0);
      }
    }
  }

  /** Every `nth` slot in hand is under way, for that long. */
  handOver(nth: number, leftMs: number): void {
    const underWay = new Map<number, HeldUntil>();
    for (const [i, [entry, slot]] of this.openSlots(false).entries()) {
      if (i % nth !== 0) continue;
      const until = underWay.get(entry.offset) ?? new Float64Array(entry.slots);
      until[slot] = this.localMs + leftMs;
      underWay.set(entry.offset, until);
    }
    this.commit(underWay.size === 0 ? null : underWay);
    const { heldEnd } = this.#world.committed;
    for (const [offset, until] of underWay) {
      for (const [slot, untilMs] of until.entries()) {
        if (untilMs > 0 && offset < heldEnd)
          this.#world.underWay.set(keyOf(offset, slot), untilMs - this.#skewMs);
      }
    }
  }
}

function mapOf(snapshot: WindowSnapshot): OffsetMap {
  const decoded = decodeMap(snapshot.offset, snapshot.map);
  if (decoded.kind !== 'map') throw new Error(decoded.kind);
  return decoded.map;
}

const step = fc.tuple(
  fc.constantFrom(
    'read',
    'read',
    'refuse',
    'finish',
    'finish',
    'finish',
    'announce',
    'pass',
    'reread',
    'wait',
    'commit',
  ),
  fc.nat(1_000),
);
const life = fc.record({
  reads: fc.nat(40),
  steps: fc.array(step, { maxLength: 60, size: 'max' }),
  skewMs: fc.integer({ min: -10_000, max: 10_000 }),
  end: fc.record({
    crash: fc.boolean(),
    nth: fc.integer({ min: 1, max: 4 }),
    leftMs: fc.integer({ min: 0, max: 60_000 }),
  }),
});

type Life = typeof life extends fc.Arbitrary<infer Value> ? Value : never;

function act(owner: Owner, world: World, kind: string, n: number): void {
  if (kind === 'read' || kind === 'refuse') owner.read(kind === 'read');
  else if (kind === 'pass') owner.passOver(n);
  else if (kind === 'reread') owner.window.reread(START + (n % (END - START)));
  else if (kind === 'wait') world.nowMs += n * 10;
  else if (kind === 'commit') owner.commit();
  else {
    const open = owner.openSlots(kind === 'announce');
    const [entry, slot] = open[n % Math.max(1, open.length)] ?? [];
    if (entry === undefined || slot === undefined) return;
    // Only who is still in time announces.
    if (kind === 'announce' && (world.underWay.get(keyOf(entry.offset, slot)) ?? 0) <= world.nowMs) return;
    owner.finish(entry, slot);
  }
}

function liveAll(lives: readonly Life[], maxChars: number): World & { crashed: boolean } {
  const committed = new OffsetWindow(START).snapshot();
  const world: World = { nowMs: 50_000, committed, truncated: false, done: new Map(), underWay: new Map() };
  let crashed = false;
  for (const { reads, steps, skewMs, end } of lives) {
    const owner = new Owner(world, skewMs, maxChars);
    for (let i = 0; i < reads; i++) owner.read(true);
    for (const [kind, n] of steps) act(owner, world, kind, n);
    if (end.crash) crashed = true;
    else owner.handOver(end.nth, end.leftMs);
    // What the next owner may not wait for is what the coordinator was never told.
    if (end.crash) for (const [key] of world.underWay) if (world.done.has(key)) world.underWay.delete(key);
  }
  const last = new Owner(world, 0, maxChars);
  world.nowMs += 1_000_000;
  while (last.read(true));
  last.window.reread(START);
  while (last.read(true));
  for (const [entry, slot] of last.openSlots(false)) last.finish(entry, slot);
  last.commit();
  expect(world.committed.offset).toBeGreaterThanOrEqual(END - 1);
  return { ...world, crashed };
}

test('over any owners, hand-overs, rereadings and crashes no slot is lost, none under way is overtaken', () => {
  fc.assert(
    fc.property(
      fc.array(life, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 64, max: 1_024 }),
      (lives, chars) => {
        const { done, truncated, crashed } = liveAll(lives, chars);
        for (let offset = START; offset < END; offset++) {
          for (let slot = 0; exists(offset) && slot < slotsOf(offset); slot++) {
            const times = done.get(keyOf(offset, slot)) ?? 0;
            expect(times).toBeGreaterThanOrEqual(1);
            if (!truncated && !crashed) expect(times).toBe(1);
          }
        }
      },
    ),
    { numRuns: propertyRuns(15) },
  );
});
