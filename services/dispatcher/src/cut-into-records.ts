import { type EndpointId, laneOf, MAX_SLOTS } from '@posthorn/contracts';

/** What one deliveries record will carry: up to 64 endpoints of one lane. */
export interface LaneSlots {
  readonly lane: number;
  readonly slots: readonly EndpointId[];
}

/** Cuts endpoints into records: by lane, 64 at most in each, in the order in which they came. */
export function cutIntoRecords(endpointIds: readonly EndpointId[], lanes: readonly number[]): LaneSlots[] {
  const byLane = new Map<number, EndpointId[]>();
  for (const endpointId of endpointIds) {
    const lane = laneOf(endpointId, lanes);
    const slots = byLane.get(lane);
    if (slots) slots.push(endpointId);
    else byLane.set(lane, [endpointId]);
  }
  const records: LaneSlots[] = [];
  for (const [lane, slots] of byLane) {
    for (let i = 0; i < slots.length; i += MAX_SLOTS)
      records.push({ lane, slots: slots.slice(i, i + MAX_SLOTS) });
  }
  return records;
}
