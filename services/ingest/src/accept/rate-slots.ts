import { RATE_SLOT_MS, SLOTS_PER_SECOND, SLOTS_PER_SPAN, SPANS_PER_MINUTE } from '@posthorn/db';

/**
 * The event rate of one tenant, over all replicas, in slots of 20 ms of a time that the replicas share.
 *
 * What was admitted in a slot (here: `own`, elsewhere as far as it is known: `others`) takes places in it while the
 * window that ends with it has room; what finds no room is a debt and takes the first places of later slots. So an
 * event is admitted when no debt is left and the window is not full, and what several replicas admit at once, not
 * knowing of each other, is repaid. A sender who keeps to his limit never makes a debt: no window of his is over-full,
 * whatever part of it is known.
 *
 * Forms: *light* (nothing is known of other replicas: `occupied` is `own`) → *shared* (by `hear`) → *light* again after
 * a time of silence. As long as nothing is heard the two behave alike.
 */
export interface TenantSlots {
  readonly tenantId: string;
  /** The slot under way. It never goes back, but for a clock that was set back. */
  slot: number;
  /** Its place in the rings. */
  index: number;
  /** The limit that holds; another one holds from its slot on. */
  limit: number;
  settledSlot: number;
  own: Int32Array;
  occupied: Int32Array;
  others: Int32Array | null;
  debts: Int32Array | null;
  /** Places taken in the window, and what has found none. */
  used: number;
  debt: number;
  lastAdmittedSlot: number;
  /** Admitted here in each span of the last minute. */
  spans: Int32Array;
  span: number;
  reportedSlot: number;
  /** Asked for since the last report. */
  isTouched: boolean;
}

/** A slot less than a second, as much as the replicas' ideas of the time may differ: never a place too few. */
export const WINDOW_SLOTS = SLOTS_PER_SECOND - 1;
/** What others report later than this is forgiven. */
export const HORIZON_SLOTS = 2 * SLOTS_PER_SECOND;
const RING = HORIZON_SLOTS + WINDOW_SLOTS + 1;
const SPANS = SPANS_PER_MINUTE + 1;
/** Corrections of the time are smaller; what is set back further starts over, which refuses nobody. */
const MAX_STEP_BACK_SLOTS = 1;

export const slotOf = (sharedMs: number): number => Math.floor(sharedMs / RATE_SLOT_MS);

export function createTenantSlots(tenantId: string, slot: number, limit: number): TenantSlots {
  const own = new Int32Array(RING);
  return {
    tenantId,
    slot,
    index: 0,
    limit,
    settledSlot: slot - 1,
    own,
    occupied: own,
    others: null,
    debts: null,
    used: 0,
    debt: 0,
    lastAdmittedSlot: Number.NEGATIVE_INFINITY,
    spans: new Int32Array(SPANS),
    span: Math.floor(slot / SLOTS_PER_SPAN),
    reportedSlot: Number.NEGATIVE_INFINITY,
    isTouched: false,
  };
}

export function moveTo(of: TenantSlots, slot: number): void {
  if (slot === of.slot) return;
  moveSpan(of, Math.floor(slot / SLOTS_PER_SPAN));
  if (slot < of.slot) {
    if (of.slot - slot > MAX_STEP_BACK_SLOTS) startOver(of, slot);
    return;
  }
  while (of.slot < slot) {
    if (of.debt === 0 && slot - of.slot >= RING) {
      startOver(of, slot);
      return;
    }
    step(of);
  }
}

function startOver(of: TenantSlots, slot: number): void {
  of.own.fill(0);
  of.occupied = of.own;
  of.others = null;
  of.debts = null;
  of.used = 0;
  of.debt = 0;
  of.slot = slot;
  of.settledSlot = slot - 1;
  of.lastAdmittedSlot = Number.NEGATIVE_INFINITY;
  of.reportedSlot = Number.NEGATIVE_INFINITY;
}

function step(of: TenantSlots): void {
  of.slot += 1;
  of.index = of.index + 1 === RING ? 0 : of.index + 1;
  const { index } = of;
  of.used -= of.occupied[back(index, WINDOW_SLOTS)]!;
  of.own[index] = 0;
  if (of.others === null) return;
  of.others[index] = 0;
  const repaid = Math.max(0, Math.min(of.debt, of.limit - of.used));
  of.occupied[index] = repaid;
  of.used += repaid;
  of.debt -= repaid;
  of.debts![index] = of.debt;
}

const back = (index: number, slots: number): number => (index + RING - slots) % RING;

function moveSpan(of: TenantSlots, span: number): void {
  if (span === of.span) return;
  const passed = span - of.span;
  if (passed < 0 || passed >= SPANS) of.spans.fill(0);
  else for (let i = 1; i <= passed; i++) of.spans[(of.span + i) % SPANS] = 0;
  of.span = span;
}

/** What was admitted under another limit is no debt under this one. */
export function setLimit(of: TenantSlots, limit: number): void {
  of.limit = limit;
  of.settledSlot = of.slot;
}

/** Counts one event of the slot under way. Only where `hasRoom`. */
export function take(of: TenantSlots): void {
  const { index } = of;
  of.own[index]! += 1;
  if (of.occupied !== of.own) of.occupied[index]! += 1;
  of.used += 1;
  of.spans[of.span % SPANS]! += 1;
  of.lastAdmittedSlot = of.slot;
}

export const hasRoom = (of: TenantSlots): boolean => of.debt === 0 && of.used < of.limit;

/** The first slot that has room for an event, if none comes before. */
export function nextRoom(of: TenantSlots): number {
  if (of.used === 0) return of.slot + WINDOW_SLOTS;
  let due = of.used + of.debt - of.limit + 1;
  const turns = Math.floor((due - 1) / of.used);
  due -= turns * of.used;
  let slots = 0;
  while (due > 0 && slots < WINDOW_SLOTS) {
    slots += 1;
    due -= of.occupied[back(of.index, WINDOW_SLOTS - slots)]!;
  }
  return of.slot + turns * WINDOW_SLOTS + slots;
}

/** What one other replica has said: the last of `counts` belongs to `slot`. */
export interface Heard {
  readonly slot: number;
  readonly counts: readonly number[];
}

/** Puts what all others have said in the place of what they said before, and lays it out anew. */
export function hear(of: TenantSlots, reports: readonly Heard[]): void {
  const from = Math.max(of.slot - HORIZON_SLOTS + 1, of.settledSlot + 1);
  if (from > of.slot) return;
  const others = share(of);
  for (let slot = from; slot <= of.slot; slot++) others[back(of.index, of.slot - slot)] = 0;
  for (const { slot: last, counts } of reports) {
    counts.forEach((count, place) => {
      // A little ahead of us is now: it leaves the window no later than it should.
      const slot = Math.min(last - counts.length + 1 + place, of.slot);
      if (slot >= from) others[back(of.index, of.slot - slot)]! += count;
    });
  }
  layOut(of, from);
}

function share(of: TenantSlots): Int32Array {
  if (of.others === null) {
    of.others = new Int32Array(RING);
    of.debts = new Int32Array(RING);
    of.occupied = of.own.slice();
  }
  return of.others;
}

/** Gives every event from a slot on its place. */
function layOut(of: TenantSlots, from: number): void {
  const { own, occupied, limit } = of;
  const others = of.others!;
  const debts = of.debts!;
  let index = back(of.index, of.slot - from);
  let used = 0;
  for (let i = 1; i <= WINDOW_SLOTS; i++) used += occupied[back(index, i)]!;
  let debt = debts[back(index, 1)]!;
  for (let slot = from; slot <= of.slot; slot++) {
    used -= occupied[back(index, WINDOW_SLOTS)]!;
    const wanted = own[index]! + others[index]! + debt;
    const placed = Math.max(0, Math.min(wanted, limit - used));
    occupied[index] = placed;
    used += placed;
    debt = wanted - placed;
    debts[index] = debt;
    index = index + 1 === RING ? 0 : index + 1;
  }
  of.used = used;
  of.debt = debt;
}

/** Admitted here in the last second. */
export function ownInLastSecond(of: TenantSlots): number {
  let sum = 0;
  for (let i = 0; i < SLOTS_PER_SECOND; i++) sum += of.own[back(of.index, i)]!;
  return sum;
}

/** Admitted here in the last minute, to a span's exactness. */
export function ownInLastMinute(of: TenantSlots): number {
  let sum = 0;
  for (let i = 0; i < SPANS_PER_MINUTE; i++) sum += of.spans[(of.span + SPANS - i) % SPANS]!;
  return sum;
}

/** What was admitted here, the slot under way last, as far back as others take notice. */
export function ownCounts(of: TenantSlots): number[] {
  const length = Math.min(HORIZON_SLOTS, RING);
  const counts = Array.from({ length }, (_, i) => of.own[back(of.index, length - 1 - i)]!);
  const first = counts.findIndex((count) => count > 0);
  return first === -1 ? [] : counts.slice(first);
}

export const ownSpans = (of: TenantSlots): number[] =>
  Array.from(
    { length: SPANS_PER_MINUTE },
    (_, i) => of.spans[(of.span + SPANS - (SPANS_PER_MINUTE - 1 - i)) % SPANS]!,
  );
