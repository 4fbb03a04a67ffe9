import type { Arrival, Fault } from './ledgers.ts';

/**
 * What a crash may repeat: the requests in flight, and those settled since the last acknowledged commit. A commit goes
 * out every 50 ms at least; before it the outcome is journaled, which takes a batch's wait and two round trips. All of
 * it is waited for on a machine that other processes start on at that moment; reports say how long it really took.
 */
export const SETTLE_MS = 500;
/** What a process wrote before it died is read by its receiver when that runs next. */
const ARRIVE_MS = 500;
/** A member that is back after a broker's crash may find itself forgotten, and drop what it held, until it has rejoined. */
export const REJOIN_MS = 2_000;
/** A dead member keeps its group waiting for its session time-out; then lanes move, and with them what is remembered. */
export const REASSIGN_MS = 13_000;

/** Who can repeat a request by itself: the one that sends it, or loses the broker that keeps what it has settled. */
const canRepeat = ({ kind, target }: Fault): boolean =>
  kind === 'worker' || kind === 'broker' || (kind === 'network' && target.startsWith('worker'));

export interface Exposure {
  /** Faults that made a second request of this arrival possible, with the time up to which commits were acknowledged. */
  mayRepeat(arrival: Arrival, next: Arrival): { readonly fault: Fault; readonly committedMs: number }[];
  /** Faults that lost the memory of this arrival, where another one may have made a second copy of its record. */
  mayCopy(sentAtMs: number, arrival: Arrival, next: Arrival): Fault[];
  /** Faults that hit this arrival before its outcome was safe: it may have no attempt row. */
  hits(arrival: Arrival): boolean;
  /** How many of the arrivals each fault may repeat. */
  bounds(arrivals: readonly Arrival[]): Map<Fault, number>;
}

interface Window {
  readonly fault: Fault;
  readonly fromMs: number;
  readonly untilMs: number;
}

export function createExposure(faults: readonly Fault[], settleMs = SETTLE_MS): Exposure {
  const crashes = faults.filter((fault) => !fault.graceful).sort((a, b) => a.fromMs - b.fromMs);
  const windows = crashes.filter(canRepeat).map((fault) => windowOf(fault, crashes, settleMs));
  // What a lane remembers goes with its worker, and stays behind when the lane moves in order.
  const forgetting = faults.filter(
    (fault) => canRepeat(fault) && (!fault.graceful || fault.kind === 'worker'),
  );
  const repeating = (arrival: Arrival): Window[] => windows.filter((window) => isOpenIn(arrival, window));

  return {
    mayRepeat: (arrival, next) =>
      repeating(arrival)
        .filter(({ fault }) => fault.fromMs <= next.atMs)
        .map(({ fault, fromMs }) => ({ fault, committedMs: fromMs + settleMs })),
    mayCopy(sentAtMs, arrival, next) {
      const copying = crashes.filter(
        ({ fromMs, untilMs }) =>
          fromMs <= next.atMs && sentAtMs <= untilMs + REJOIN_MS && endOf(arrival) >= fromMs - settleMs,
      );
      return forgetting
        .filter(({ fromMs, untilMs }) => untilMs + REASSIGN_MS >= arrival.atMs && fromMs <= next.atMs)
        .filter((fault) => copying.some((other) => other !== fault));
    },
    hits: (arrival) => repeating(arrival).length > 0,
    bounds(arrivals) {
      const bounds = new Map<Fault, number>(crashes.map((fault) => [fault, 0]));
      for (const arrival of arrivals) {
        for (const { fault } of repeating(arrival)) bounds.set(fault, bounds.get(fault)! + 1);
      }
      return bounds;
    },
  };
}

/** While no broker acknowledges, nothing that is settled counts as committed: a crash then reaches back to before. */
function windowOf(fault: Fault, crashes: readonly Fault[], settleMs: number): Window {
  let fromMs = fault.fromMs;
  for (const other of crashes.toReversed()) {
    const silent = canRepeat(other) && other.kind !== 'worker';
    if (!silent || other.fromMs > fromMs || other.untilMs + REJOIN_MS < fromMs - settleMs) continue;
    fromMs = other.fromMs;
  }
  const untilMs = fault.kind === 'worker' ? fault.fromMs + ARRIVE_MS : fault.untilMs + REJOIN_MS;
  return { fault, fromMs: fromMs - settleMs, untilMs };
}

const endOf = (arrival: Arrival): number => arrival.answeredAtMs ?? Number.POSITIVE_INFINITY;

function isOpenIn(arrival: Arrival, window: Window): boolean {
  return arrival.atMs <= window.untilMs && endOf(arrival) >= window.fromMs;
}
