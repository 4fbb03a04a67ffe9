import { nowMs } from '../now.ts';
import { type Record, readRecord } from '../rig/read-record.ts';
import { untilBacklogIsZero } from '../rig/recover.ts';
import type { Ground, Rig } from '../rig/start-rig.ts';
import { SETTLE_MS } from './exposure.ts';
import { judge, type Verdict } from './judge.ts';
import type { Evidence } from './ledgers.ts';

/** Judges what has been sent since the last time; what came before was done with then. */
export interface RoundJudge {
  judge(): Promise<{ verdict: Verdict; evidence: Evidence }>;
}

export function createRoundJudge(rig: Rig<Ground>, settleMs = SETTLE_MS): RoundJudge {
  const earlier = new Set<string>();
  let firstEvent = 0;
  let firstArrival = 0;
  return {
    async judge() {
      const sent = rig.events.sent.slice(firstEvent);
      const all = await rig.receiver.arrivals();
      const arrivals = all.slice(firstArrival);
      const ids = sent.flatMap(({ eventId }) => eventId ?? []).sort();
      // Events of unknown outcome have no id here: theirs are those that arrived.
      const arrived = arrivals.map(({ eventId }) => eventId).sort();
      const from = [ids[0], arrived[0]].filter((id) => id !== undefined).sort()[0] ?? null;
      const record = withoutBystanders(await readRecord(rig.databaseUrl, from), rig.bystanders);
      const { targets, faults } = rig;
      const evidence = { sent, arrivals, targets, faults, ...record, earlier: new Set(earlier), settleMs };
      const verdict = judge(evidence);
      for (const { hash } of sent) earlier.add(hash);
      firstEvent += sent.length;
      firstArrival += arrivals.length;
      return { verdict, evidence };
    },
  };
}

function withoutBystanders(record: Record, bystanders: ReadonlySet<string>): Record {
  if (bystanders.size === 0) return record;
  const deliveries = record.deliveries.filter(({ endpointId }) => !bystanders.has(endpointId));
  const judged = new Set(deliveries.map(({ deliveryId }) => deliveryId));
  return { deliveries, attempts: record.attempts.filter(({ deliveryId }) => judged.has(deliveryId)) };
}

/** For scenarios of one round: waits until nothing is left to do, then judges all that was sent. */
export async function drainAndJudge(
  rig: Rig<Ground>,
  settleMs = SETTLE_MS,
): Promise<{ verdict: Verdict; drainMs: number | null }> {
  const { backlogZeroMs } = await untilBacklogIsZero(rig, nowMs());
  const { verdict } = await createRoundJudge(rig, settleMs).judge();
  return { verdict, drainMs: backlogZeroMs };
}
