import { SLOTS_PER_SECOND } from '@posthorn/db';
import {
  back,
  CONTENDED_SLOTS,
  drained,
  HORIZON_SLOTS,
  RING,
  roomFor,
  type TenantSlots,
} from './rate-slots.ts';

/** What one other replica has said: the last of `counts` belongs to `slot`. */
export interface Heard {
  readonly slot: number;
  readonly counts: readonly number[];
}

/** Puts what all others have said in the place of what they said before, and lays it out anew. */
export function hear(of: TenantSlots, reports: readonly Heard[], replicas: number): void {
  const from = Math.max(of.slot - HORIZON_SLOTS + 1, of.settledSlot + 1);
  if (from > of.slot) return;
  const others = openShared(of);
  for (let slot = from; slot <= of.slot; slot++) others[back(of.index, of.slot - slot)] = 0;
  for (const { slot: last, counts } of reports) {
    counts.forEach((count, place) => {
      // A little ahead of us is now: it leaves the window no later than it should.
      const slot = Math.min(last - counts.length + 1 + place, of.slot);
      if (slot >= from) others[back(of.index, of.slot - slot)]! += count;
    });
  }
  const hadDebt = layOut(of, from);
  if (hadDebt) of.contendedUntil = of.slot + CONTENDED_SLOTS;
  if (of.slot <= of.contendedUntil) shareRoom(of, replicas);
}

/**
 * A sender who is over his limit at several replicas would have all of the room that comes free at each of them. Once he
 * has made a debt each takes a share, as it had of the last second, until he has kept to it for a while. Room that seems
 * to be left over is mostly taken elsewhere already and not reported yet: it is shared out over a second.
 */
function shareRoom(of: TenantSlots, replicas: number): void {
  let own = 0;
  let all = 0;
  for (let i = 0; i < SLOTS_PER_SECOND; i++) {
    const at = back(of.index, i);
    own += of.own[at]!;
    all += of.own[at]! + of.others![at]!;
  }
  of.share = (own + 1) / (all + replicas);
  const room = roomFor(of, of.used, of.level);
  const elapsed = Math.min(1, (of.slot - of.sharedSlot) / SLOTS_PER_SECOND);
  of.sharedSlot = of.slot;
  of.budget = Math.min(room + 1, Math.max(0, of.budget) + room * of.share * elapsed);
}

function openShared(of: TenantSlots): Int32Array {
  if (of.others === null) {
    of.others = new Int32Array(RING);
    of.debts = new Int32Array(RING);
    of.levels = new Float64Array(RING);
    of.occupied = of.own.slice();
  }
  return of.others;
}

/** Gives every event from a slot on its place; whether one had to wait for it. */
function layOut(of: TenantSlots, from: number): boolean {
  const { own, occupied, limit, window } = of;
  const others = of.others!;
  const debts = of.debts!;
  const levels = of.levels!;
  let index = back(of.index, of.slot - from);
  let used = 0;
  for (let i = 1; i <= window; i++) used += occupied[back(index, i)]!;
  let debt = debts[back(index, 1)]!;
  let level = levels[back(index, 1)]!;
  let hadDebt = false;
  for (let slot = from; slot <= of.slot; slot++) {
    used -= occupied[back(index, window)]!;
    const wanted = own[index]! + others[index]! + debt;
    level = drained(level, limit);
    const placed = Math.min(wanted, roomFor(of, used, level));
    occupied[index] = placed;
    used += placed;
    debt = wanted - placed;
    hadDebt ||= debt > 0;
    level += placed;
    debts[index] = debt;
    levels[index] = level;
    index = index + 1 === RING ? 0 : index + 1;
  }
  of.used = used;
  of.debt = debt;
  of.level = level;
  return hadDebt;
}
