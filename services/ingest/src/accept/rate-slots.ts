import {
  RATE_FRESH_MS,
  RATE_SLOT_MS,
  SLOTS_PER_SECOND,
  SLOTS_PER_SPAN,
  SPANS_PER_MINUTE,
} from '@posthorn/db';

/**
 * The event rate of one tenant, over all replicas, in slots of 10 ms of a time that the replicas share.
 *
 * What was admitted in a slot (here: `own`, elsewhere as far as it is known: `others`) takes places in it while the
 * window that ends with it has room; what finds no room is a debt and takes the first places of later slots. So an
 * event is admitted when no debt is left and the window is not full, and what several replicas admit at once, not
 * knowing of each other, is repaid. A sender who keeps to his limit never makes a debt: no window of his is over-full,
 * whatever part of it is known.
 *
 * Forms: *light* (nothing is known of other replicas: `occupied` is `own`) → *shared* (by `hear`) → *light* again after
 * a time of silence. While nothing is heard and nobody is refused the two behave alike.
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
  levels: Float64Array | null;
  level: number;
  /** Slots of the window: `WINDOW_SLOTS`, or a second of them until `strictUntil`. */
  window: number;
  strictUntil: number;
  /** Places taken in the window, and what has found none. */
  used: number;
  debt: number;
  /** Until this slot only a share of the room is taken: `budget` places, and `share` of those that come free. */
  contendedUntil: number;
  share: number;
  budget: number;
  /** When room was last shared out. */
  sharedSlot: number;
  lastAdmittedSlot: number;
  /** Admitted here in each span of the last minute. */
  spans: Int32Array;
  span: number;
  reportedSlot: number;
  /** Asked for since the last report. */
  isTouched: boolean;
}

/**
 * A slot less than a second, as much as the replicas' ideas of the time may differ: never a place too few for a sender
 * within his limit. Who was refused is not, and has a whole second until he was not refused for a while.
 */
export const WINDOW_SLOTS = SLOTS_PER_SECOND - 1;
const STRICT_FOR_SLOTS = 2 * SLOTS_PER_SECOND;
export const CONTENDED_SLOTS = 2 * SLOTS_PER_SECOND;
/**
 * In the long run a window that is short by a slot would admit too much: places also fill a vessel, `level`, that drains
 * a limit each second. A sender within his limit fills it to 1.01 limits at most, clocks that differ by a slot included.
 */
const VESSEL = 1 + 1.05 / SLOTS_PER_SECOND;
/** What others report later than this is forgiven. */
export const HORIZON_SLOTS = (RATE_FRESH_MS / 1_000) * SLOTS_PER_SECOND;
export const RING = HORIZON_SLOTS + SLOTS_PER_SECOND + 1;
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
    settledSlot: Number.NEGATIVE_INFINITY,
    own,
    occupied: own,
    others: null,
    debts: null,
    levels: null,
    level: 0,
    window: WINDOW_SLOTS,
    strictUntil: Number.NEGATIVE_INFINITY,
    used: 0,
    debt: 0,
    contendedUntil: Number.NEGATIVE_INFINITY,
    share: 1,
    budget: 0,
    sharedSlot: Number.NEGATIVE_INFINITY,
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
  if (of.others === null && of.window === WINDOW_SLOTS) {
    skipTo(of, slot);
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

/** Many steps of a light form at once: most tenants are heard of again after many slots. */
function skipTo(of: TenantSlots, slot: number): void {
  const passed = slot - of.slot;
  if (passed >= RING) {
    startOver(of, slot);
    return;
  }
  if (passed >= WINDOW_SLOTS) of.used = 0;
  else for (let i = 1; i <= passed; i++) of.used -= of.own[(of.index + RING + i - WINDOW_SLOTS) % RING]!;
  const last = of.index + passed;
  of.own.fill(0, of.index + 1, Math.min(last + 1, RING));
  if (last >= RING) of.own.fill(0, 0, last - RING + 1);
  of.index = last % RING;
  of.slot = slot;
  of.level = Math.max(0, of.level - (of.limit * passed) / SLOTS_PER_SECOND);
}

function startOver(of: TenantSlots, slot: number): void {
  of.own.fill(0);
  of.occupied = of.own;
  of.others = null;
  of.debts = null;
  of.levels = null;
  of.level = 0;
  of.window = WINDOW_SLOTS;
  of.used = 0;
  of.debt = 0;
  of.contendedUntil = Number.NEGATIVE_INFINITY;
  of.slot = slot;
  of.settledSlot = Number.NEGATIVE_INFINITY;
  of.lastAdmittedSlot = Number.NEGATIVE_INFINITY;
  of.reportedSlot = Number.NEGATIVE_INFINITY;
}

function step(of: TenantSlots): void {
  if (of.window !== WINDOW_SLOTS && of.slot >= of.strictUntil) {
    of.window = WINDOW_SLOTS;
    of.used -= of.occupied[back(of.index, WINDOW_SLOTS)]!;
  }
  of.slot += 1;
  of.index = of.index + 1 === RING ? 0 : of.index + 1;
  const { index } = of;
  const freed = of.occupied[back(index, of.window)]!;
  of.used -= freed;
  of.own[index] = 0;
  of.level = drained(of.level, of.limit);
  if (of.others === null) return;
  of.others[index] = 0;
  const repaid = Math.min(of.debt, roomFor(of, of.used, of.level));
  of.occupied[index] = repaid;
  of.used += repaid;
  of.debt -= repaid;
  of.level += repaid;
  of.budget += Math.max(0, freed - repaid) * of.share;
  of.debts![index] = of.debt;
  of.levels![index] = of.level;
}

export const drained = (level: number, limit: number): number =>
  Math.max(0, level - limit / SLOTS_PER_SECOND);

const vesselOf = ({ window, limit }: TenantSlots): number =>
  (window === WINDOW_SLOTS ? VESSEL : 1) * limit + EPSILON;

/** Places that are free. */
export const roomFor = (of: TenantSlots, used: number, level: number): number =>
  Math.max(0, Math.min(of.limit - used, Math.floor(vesselOf(of) - level)));
const EPSILON = 1e-6;

export const back = (index: number, slots: number): number => (index + RING - slots) % RING;

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
  of.level = Math.min(of.level, limit);
  if (of.levels !== null) of.levels[of.index] = of.level;
  of.settledSlot = of.slot;
}

/** Counts one event of the slot under way. Only where `hasRoom`. */
export function take(of: TenantSlots): void {
  const { index } = of;
  of.own[index]! += 1;
  if (of.occupied !== of.own) of.occupied[index]! += 1;
  of.used += 1;
  of.level += 1;
  of.budget -= 1;
  if (of.levels !== null) of.levels[index] = of.level;
  of.spans[of.span % SPANS]! += 1;
  of.lastAdmittedSlot = of.slot;
}

export const hasRoom = (of: TenantSlots): boolean =>
  of.debt === 0 &&
  of.used < of.limit &&
  of.level + 1 <= vesselOf(of) &&
  (of.slot > of.contendedUntil || of.budget >= 1);

/** He is over his limit: until he was not for a while, his window is a whole second. */
export function refuse(of: TenantSlots): void {
  of.strictUntil = of.slot + STRICT_FOR_SLOTS;
  if (of.slot <= of.contendedUntil) of.contendedUntil = of.slot + CONTENDED_SLOTS;
  if (of.window === SLOTS_PER_SECOND) return;
  of.window = SLOTS_PER_SECOND;
  of.used += of.occupied[back(of.index, WINDOW_SLOTS)]!;
}

/** The first slot that has room for an event within `limit`, if none comes before. */
export const nextRoom = (of: TenantSlots, limit: number): number =>
  of.slot + (Math.max(windowFull(of, limit), vesselFull(of)) || SLOTS_PER_REPORT);

/** Where there is room, but not for this replica: it may have a share of it when it has heard of the others again. */
const SLOTS_PER_REPORT = 10;

const vesselFull = (of: TenantSlots): number =>
  of.limit < 1 ? 0 : Math.ceil(((of.level + of.debt + 1 - vesselOf(of)) * SLOTS_PER_SECOND) / of.limit);

/** Slots until the window has room, debts repaid. */
function windowFull(of: TenantSlots, limit: number): number {
  if (of.used === 0) return limit < 1 || of.debt > 0 ? of.window : 0;
  let due = of.used + of.debt - limit + 1;
  const turns = Math.max(0, Math.floor((due - 1) / of.used));
  due -= turns * of.used;
  let slots = 0;
  while (due > 0 && slots < of.window) {
    slots += 1;
    due -= of.occupied[back(of.index, of.window - slots)]!;
  }
  return turns * of.window + slots;
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
