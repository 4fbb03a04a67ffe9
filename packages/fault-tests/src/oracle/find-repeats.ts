import type { Exposure } from './exposure.ts';
import { type Arrival, type Fault, isSuccess, type SentEvent } from './ledgers.ts';

export interface Repeat {
  readonly arrival: Arrival;
  readonly before: Arrival;
}

export interface Repeats {
  readonly all: number;
  /** At most so many, second copies aside: what each crash found in flight or not yet committed. */
  readonly bound: number;
  /** Second copies of a record that an earlier crash made, seen because a later one lost the memory of the first. */
  readonly copies: number;
  /** No crash accounts for these, or one was already taken for the same delivery. */
  readonly unexplained: readonly Repeat[];
  readonly perFault: ReadonlyMap<Fault, Tally>;
  /** The longest time between an answer and the crash that repeated it all the same, while Kafka was there. */
  readonly oldestSettledMs: number;
}

export interface Tally {
  readonly repeats: number;
  readonly copies: number;
  readonly bound: number;
}

/**
 * A repeat is the same delivery, run and attempt a second time, or any arrival after one that was answered 2xx. Each
 * crash may repeat a delivery once.
 */
export function findRepeats(
  genuine: readonly Arrival[],
  byHash: ReadonlyMap<string, SentEvent>,
  exposure: Exposure,
  late: readonly Arrival[] = [],
): Repeats {
  const tally = new Map(
    [...exposure.bounds(genuine)].map(([fault, bound]) => [fault, { repeats: 0, copies: 0, bound }]),
  );
  const unexplained: Repeat[] = late.map((arrival) => ({ arrival, before: arrival }));
  let all = late.length;
  let copies = 0;
  let oldestSettledMs = 0;
  const groups = Map.groupBy(genuine, ({ deliveryId, run, path }) => `${deliveryId} ${run} ${path}`);
  for (const group of groups.values()) {
    const spent = new Set<Fault>();
    for (const { arrival, before } of repeatsIn(group)) {
      all += 1;
      const direct = exposure.mayRepeat(before, arrival).find(({ fault }) => !spent.has(fault));
      const sentAtMs = byHash.get(arrival.hash)?.sentAtMs ?? 0;
      const fault =
        direct?.fault ?? exposure.mayCopy(sentAtMs, before, arrival).find((each) => !spent.has(each));
      if (fault === undefined) {
        unexplained.push({ arrival, before });
        continue;
      }
      const counted = tally.get(fault) ?? { repeats: 0, copies: 0, bound: 0 };
      tally.set(fault, counted);
      if (direct === undefined) {
        counted.copies += 1;
        copies += 1;
      } else {
        counted.repeats += 1;
        const settledMs = direct.committedMs - (before.answeredAtMs ?? direct.committedMs);
        oldestSettledMs = Math.max(oldestSettledMs, settledMs);
      }
      spent.add(fault);
    }
  }
  const bound = [...tally.values()].reduce((sum, each) => sum + each.bound, 0);
  return { all, bound, copies, unexplained, perFault: tally, oldestSettledMs };
}

function repeatsIn(group: readonly Arrival[]): Repeat[] {
  const repeats: Repeat[] = [];
  const latest = new Map<number, Arrival>();
  let succeeded: Arrival | undefined;
  for (const arrival of [...group].sort((a, b) => a.atMs - b.atMs)) {
    const before = latest.get(arrival.attempt) ?? endedBefore(succeeded, arrival);
    if (before !== undefined) repeats.push({ arrival, before });
    latest.set(arrival.attempt, arrival);
    if (isSuccess(arrival.status)) succeeded = arrival;
  }
  return repeats;
}

function endedBefore(succeeded: Arrival | undefined, arrival: Arrival): Arrival | undefined {
  if (succeeded === undefined || succeeded.answeredAtMs === null) return undefined;
  return succeeded.answeredAtMs <= arrival.atMs ? succeeded : undefined;
}
