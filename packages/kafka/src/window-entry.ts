import { type HeldUntil, heldSlots } from './held-slots.ts';
import type { MapEncoder } from './window-encoding.ts';

/** A record that was handed on and has at least one slot to finish. */
export interface WindowEntry {
  readonly offset: number;
  readonly slots: number;
  remaining: number;
  /** Allocated when the first of several slots is done. */
  bits: Uint8Array | null;
  /** Null when no earlier owner was at it. */
  readonly heldUntil: HeldUntil | null;
  /** Given back or withdrawn: unfinished, and no longer this entry's. */
  passedOver: boolean;
}

export function openEntry(
  offset: number,
  slots: number,
  bits: Uint8Array | null,
  heldUntil: HeldUntil | null,
): WindowEntry {
  const entry: WindowEntry = { offset, slots, remaining: slots, bits: null, heldUntil, passedOver: false };
  if (bits !== null) takeOverBits(entry, bits);
  return entry;
}

export function isSlotDone(entry: WindowEntry, slot: number): boolean {
  return entry.remaining === 0 || isBitSet(entry.bits, slot);
}

export function markDone(entry: WindowEntry, slot: number): boolean {
  if (slot < 0 || slot >= entry.slots) throw new RangeError(`slot ${slot} of ${entry.slots}`);
  if (isSlotDone(entry, slot)) return false;
  if (--entry.remaining > 0) {
    entry.bits ??= new Uint8Array(Math.ceil(entry.slots / 8));
    entry.bits[slot >> 3]! |= 1 << (slot & 7);
  }
  return true;
}

export function heldForMs(entry: WindowEntry, slot: number, nowMs: number): number {
  if (entry.heldUntil === null || isSlotDone(entry, slot)) return 0;
  return Math.max(0, (entry.heldUntil[slot] ?? 0) - nowMs);
}

/** A record as a map says it. */
type Unfinished = Pick<WindowEntry, 'offset' | 'slots' | 'bits' | 'heldUntil'>;

export function encodeRecord(
  encoder: MapEncoder,
  { offset, slots, bits, heldUntil }: Unfinished,
  nowMs: number,
  own: HeldUntil | null = null,
): void {
  if (heldUntil !== null || own !== null) {
    const held = heldSlots(slots, (slot) => isBitSet(bits, slot), nowMs, heldUntil, own);
    if (held.length > 0) {
      encoder.held(offset, bits, slots, held);
      return;
    }
  }
  if (bits === null) encoder.untouched(offset);
  else encoder.partlyDone(offset, bits, slots);
}

function takeOverBits(entry: WindowEntry, bits: Uint8Array): void {
  for (let slot = 0; slot < entry.slots && slot < bits.length * 8; slot++) {
    if (isBitSet(bits, slot)) markDone(entry, slot);
  }
}

function isBitSet(bits: Uint8Array | null, slot: number): boolean {
  return bits !== null && (bits[slot >> 3]! & (1 << (slot & 7))) !== 0;
}
