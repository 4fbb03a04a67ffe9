import type { Verdict } from '../oracle/judge.ts';
import type { Arrival, Evidence, Fault, SentEvent } from '../oracle/ledgers.ts';

/** What is kept of a failed run: enough to see what happened, and to run the same plan again. */
export interface History {
  readonly faults: readonly Fault[];
  readonly cases: readonly Case[];
  /** What members that ended by themselves said last. */
  readonly ended: readonly string[];
}

export interface Case {
  readonly complaint: string;
  readonly event: SentEvent | null;
  readonly arrivals: readonly Arrival[];
  readonly rows: readonly object[];
}

const CASES_PER_COMPLAINT = 5;

export function writeHistory(evidence: Evidence, verdict: Verdict, ended: readonly string[]): History {
  const byHash = new Map(evidence.sent.map((event) => [event.hash, event]));
  const ofDelivery = new Map(evidence.arrivals.map((arrival) => [arrival.deliveryId, arrival.hash]));
  const about = (complaint: string, hashes: readonly (string | undefined)[]): Case[] =>
    [...new Set(hashes)]
      .slice(0, CASES_PER_COMPLAINT)
      .map((hash) => describeCase(evidence, complaint, hash ?? '', byHash));
  const hashesOf = (arrivals: readonly Arrival[]) => arrivals.map(({ hash }) => hash);
  const deliveryIn = (text: string) => ofDelivery.get(text.split(' ')[0]!);
  return {
    faults: evidence.faults,
    cases: [
      ...about(
        'lost',
        verdict.lost.map(({ event }) => event.hash),
      ),
      ...about('phantom', hashesOf(verdict.phantom)),
      ...about('wrong tenant', hashesOf(verdict.wrongTenant)),
      ...about('altered', hashesOf(verdict.altered)),
      ...about(
        'repeated',
        verdict.repeats.unexplained.map(({ arrival }) => arrival.hash),
      ),
      ...about('unrecorded', verdict.unrecorded.map(deliveryIn)),
      ...about('without a row', verdict.withoutRow.map(deliveryIn)),
      ...about('without an arrival', verdict.withoutArrival.map(deliveryIn)),
      ...about(
        'half delivered',
        verdict.halfDelivered.map(({ hash }) => hash),
      ),
    ],
    ended,
  };
}

function describeCase(
  evidence: Evidence,
  complaint: string,
  hash: string,
  byHash: ReadonlyMap<string, SentEvent>,
): Case {
  const event = byHash.get(hash) ?? null;
  const arrivals = evidence.arrivals.filter((arrival) => arrival.hash === hash);
  const eventId = event?.eventId ?? arrivals[0]?.eventId;
  const rows = [
    ...evidence.deliveries.filter((row) => row.eventId === eventId),
    ...evidence.attempts.filter((row) => eventId !== undefined && row.deliveryId.startsWith(eventId)),
  ];
  return { complaint, event, arrivals, rows };
}
