import { createExposure } from './exposure.ts';
import { findRepeats, type Repeats } from './find-repeats.ts';
import { type Arrival, type Evidence, FINAL_STATES, isSuccess, matches, type SentEvent } from './ledgers.ts';

/** The oracle's answer; every list but the figures must be empty. */
export interface Verdict {
  readonly sent: number;
  readonly ok: number;
  readonly refused: number;
  readonly unknown: number;
  readonly arrivals: number;
  /** Deliveries of accepted events that neither arrived and were answered 2xx nor are visible as failed or cancelled. */
  readonly lost: readonly Lost[];
  /** Arrivals of events that were refused, or that nobody sent. */
  readonly phantom: readonly Arrival[];
  readonly wrongTenant: readonly Arrival[];
  /** Arrivals of accepted events with other bytes than were sent. */
  readonly altered: readonly Arrival[];
  readonly repeats: Repeats;
  /** Deliveries whose row is missing or in no final state. */
  readonly unrecorded: readonly string[];
  /** Arrivals without an attempt row that no crash accounts for. */
  readonly withoutRow: readonly string[];
  /** Attempt rows that say the receiver answered what it never saw. */
  readonly withoutArrival: readonly string[];
  /** Unknown events that reached some of their endpoints and not the others. */
  readonly halfDelivered: readonly SentEvent[];
}

export interface Lost {
  readonly event: SentEvent;
  readonly endpointId: string;
}

export function judge(evidence: Evidence): Verdict {
  const { sent, arrivals, faults } = evidence;
  const exposure = createExposure(faults, evidence.settleMs);
  const byHash = new Map(sent.map((event) => [event.hash, event]));
  const known = sortArrivals(evidence, byHash);
  const reached = reachedBy(evidence, known.genuine, byHash);
  const count = (answered: SentEvent['answered']) => sent.filter((each) => each.answered === answered).length;
  return {
    sent: sent.length,
    ok: count('ok'),
    refused: count('refused'),
    unknown: count('unknown'),
    arrivals: arrivals.length,
    lost: findLost(evidence, reached),
    phantom: known.phantom,
    wrongTenant: known.wrongTenant,
    altered: known.altered,
    repeats: findRepeats(known.genuine, byHash, exposure, known.late),
    unrecorded: findUnrecorded(evidence, known.genuine),
    ...holdRowsAgainst(evidence, known.genuine, exposure),
    halfDelivered: findHalfDelivered(evidence, reached),
  };
}

interface Sorted {
  readonly genuine: readonly Arrival[];
  /** Of events that an earlier round was done with. */
  readonly late: readonly Arrival[];
  readonly phantom: readonly Arrival[];
  readonly wrongTenant: readonly Arrival[];
  readonly altered: readonly Arrival[];
}

function sortArrivals(evidence: Evidence, byHash: ReadonlyMap<string, SentEvent>): Sorted {
  const byPath = new Map(evidence.targets.map((target) => [target.path, target]));
  const eventIds = new Set(evidence.sent.flatMap(({ eventId }) => eventId ?? []));
  const sorted = {
    genuine: [] as Arrival[],
    late: [] as Arrival[],
    phantom: [] as Arrival[],
    wrongTenant: [] as Arrival[],
    altered: [] as Arrival[],
  };
  for (const arrival of evidence.arrivals) {
    const event = byHash.get(arrival.hash);
    const target = byPath.get(arrival.path);
    if (event === undefined) {
      if (evidence.earlier?.has(arrival.hash)) sorted.late.push(arrival);
      else (eventIds.has(arrival.eventId) ? sorted.altered : sorted.phantom).push(arrival);
    } else if (event.eventId !== null && event.eventId !== arrival.eventId) sorted.altered.push(arrival);
    else if (event.answered === 'refused') sorted.phantom.push(arrival);
    else if (target === undefined || !matches(target, event)) sorted.wrongTenant.push(arrival);
    else sorted.genuine.push(arrival);
  }
  return sorted;
}

const keyOf = (event: SentEvent, endpointId: string): string => `${event.n} ${endpointId}`;

/** Which (event, endpoint) got a 2xx, or stand in the record as done with. */
function reachedBy(
  { targets, deliveries, sent }: Evidence,
  genuine: readonly Arrival[],
  byHash: ReadonlyMap<string, SentEvent>,
): Set<string> {
  const endpoints = new Map(targets.map(({ path, endpointId }) => [path, endpointId]));
  const reached = new Set<string>();
  for (const arrival of genuine) {
    if (isSuccess(arrival.status))
      reached.add(keyOf(byHash.get(arrival.hash)!, endpoints.get(arrival.path)!));
  }
  const byId = new Map(sent.flatMap((event) => (event.eventId === null ? [] : [[event.eventId, event]])));
  for (const { eventId, endpointId, state } of deliveries) {
    const event = byId.get(eventId);
    // A success that the receiver has not seen is no success.
    if (event && state !== 'success' && FINAL_STATES.has(state)) reached.add(keyOf(event, endpointId));
  }
  return reached;
}

function findLost({ sent, targets }: Evidence, reached: ReadonlySet<string>): Lost[] {
  const byTenant = Map.groupBy(targets, ({ tenantId }) => tenantId);
  const lost: Lost[] = [];
  for (const event of sent) {
    if (event.answered !== 'ok') continue;
    for (const target of byTenant.get(event.tenantId) ?? []) {
      const { endpointId } = target;
      if (matches(target, event) && !reached.has(keyOf(event, endpointId))) lost.push({ event, endpointId });
    }
  }
  return lost;
}

function findHalfDelivered({ sent, targets }: Evidence, reached: ReadonlySet<string>): SentEvent[] {
  const byTenant = Map.groupBy(targets, ({ tenantId }) => tenantId);
  return sent.filter((event) => {
    if (event.answered !== 'unknown') return false;
    const wanted = (byTenant.get(event.tenantId) ?? []).filter((target) => matches(target, event));
    const got = wanted.filter(({ endpointId }) => reached.has(keyOf(event, endpointId)));
    return got.length > 0 && got.length < wanted.length;
  });
}

function findUnrecorded({ deliveries }: Evidence, genuine: readonly Arrival[]): string[] {
  const states = new Map(deliveries.map(({ deliveryId, state }) => [deliveryId, state]));
  const open = deliveries.filter(({ state }) => !FINAL_STATES.has(state)).map(({ deliveryId }) => deliveryId);
  const missing = genuine.filter(({ deliveryId }) => !states.has(deliveryId)).map((each) => each.deliveryId);
  return [...new Set([...open, ...missing])];
}

const attemptKey = (of: { deliveryId: string; run: number; attempt: number }): string =>
  `${of.deliveryId} run ${of.run} attempt ${of.attempt}`;

function holdRowsAgainst(
  { attempts }: Evidence,
  genuine: readonly Arrival[],
  exposure: ReturnType<typeof createExposure>,
): Pick<Verdict, 'withoutRow' | 'withoutArrival'> {
  const arrived = Map.groupBy(genuine, attemptKey);
  const rows = new Map(attempts.map((each) => [attemptKey(each), each]));
  const withoutRow: string[] = [];
  for (const [key, group] of arrived) {
    const missing = group.length - (rows.get(key)?.rows ?? 0);
    const excused = missing > 0 ? group.filter((arrival) => exposure.hits(arrival)).length : 0;
    if (missing > excused) withoutRow.push(key);
  }
  const withoutArrival = attempts.filter(
    (each) => each.answered > (arrived.get(attemptKey(each))?.length ?? 0),
  );
  return { withoutRow, withoutArrival: withoutArrival.map(attemptKey) };
}

/** Sentences for people; empty means that the promises were kept. */
export function complaints(verdict: Verdict): string[] {
  const said = (items: readonly unknown[], what: string) =>
    items.length === 0 ? [] : [`${items.length} ${what}`];
  const { repeats } = verdict;
  const direct = repeats.all - repeats.copies;
  return [
    ...said(verdict.lost, 'lost'),
    ...said(verdict.phantom, 'phantom'),
    ...said(verdict.wrongTenant, 'at the wrong tenant or endpoint'),
    ...said(verdict.altered, 'altered'),
    ...said(repeats.unexplained, 'repeated without a fault that accounts for it'),
    ...(direct > repeats.bound ? [`${direct} repeated, over the bound of ${repeats.bound}`] : []),
    ...said(verdict.unrecorded, 'without a final state in the record'),
    ...said(verdict.withoutRow, 'arrivals without an attempt row'),
    ...said(verdict.withoutArrival, 'attempt rows without an arrival'),
    ...said(verdict.halfDelivered, 'unknown events at some of their endpoints only'),
  ];
}
