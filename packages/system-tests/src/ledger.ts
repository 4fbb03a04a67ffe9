import type { Arrival, Receiver } from '@posthorn/testkit';
import type { Accepted, Api, Tenant } from './api.ts';

/**
 * The sender's ledger: every event posted, with what the API answered. `ok` events (202) must arrive; `refused` ones
 * must not; `unknown` ones may.
 */
export interface Ledger {
  readonly ok: ReadonlyMap<string, Accepted>;
  readonly refused: readonly { status: number; code: string }[];
  readonly unknown: number;
}

export interface LoadOptions {
  readonly eventsPerSec: number;
  /** Asked before each event; load ends when it says true. */
  readonly until: (sent: number) => boolean;
  readonly fields?: (n: number) => Record<string, unknown>;
}

/** Posts events at a steady rate, each when it is due, whatever became of those before it. */
export async function sendLoad(api: Api, tenant: Tenant, options: LoadOptions): Promise<Ledger> {
  const ok = new Map<string, Accepted>();
  const refused: { status: number; code: string }[] = [];
  let unknown = 0;
  const post = async (n: number): Promise<void> => {
    const body = { tenant_id: tenant.tenantId, type: 'load.sent', payload: { n }, ...options.fields?.(n) };
    try {
      const answer = await api.call<Accepted & { code: string }>('POST', '/v1/events', {
        body,
        key: tenant.key,
      });
      if (answer.status === 202) ok.set(answer.body.event_id, answer.body);
      else if (answer.body.code === 'outcome_unknown') unknown += 1;
      else refused.push({ status: answer.status, code: answer.body.code });
    } catch {
      unknown += 1;
    }
  };
  const started = performance.now();
  const sends: Promise<void>[] = [];
  while (!options.until(sends.length)) {
    const dueMs = started + (sends.length * 1000) / options.eventsPerSec;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    sends.push(post(sends.length));
  }
  await Promise.all(sends);
  return { ok, refused, unknown };
}

export interface Verdict {
  /** Deliveries of accepted events that never arrived. */
  readonly lost: readonly string[];
  /** Deliveries that arrived more than once. */
  readonly duplicated: readonly string[];
  /** Arrivals of events that nobody was told were accepted. */
  readonly phantom: readonly string[];
}

/** Holds what arrived at a receiver that always answers 2xx against what was promised. */
export function judge(ledger: Ledger, arrivals: readonly Arrival[]): Verdict {
  const seen = new Map<string, number>();
  for (const arrival of arrivals) {
    const id = String(arrival.headers['webhook-id']);
    seen.set(id, (seen.get(id) ?? 0) + 1);
  }
  const promised = new Set([...ledger.ok.values()].flatMap((accepted) => accepted.delivery_ids ?? []));
  return {
    lost: [...promised].filter((id) => !seen.has(id)),
    duplicated: [...seen].filter(([, count]) => count > 1).map(([id]) => id),
    phantom: [...seen.keys()].filter((id) => !promised.has(id)),
  };
}

export const CLEAN: Verdict = { lost: [], duplicated: [], phantom: [] };

/** How many deliveries the ledger's accepted events were promised. */
export function promised(ledger: Ledger): number {
  let count = 0;
  for (const accepted of ledger.ok.values()) count += accepted.webhooks_queued;
  return count;
}

/** Waits until as many deliveries have arrived as were promised, or the receiver's time is up. */
export async function drained(receiver: Receiver, ledger: Ledger, timeoutMs = 20_000): Promise<void> {
  await receiver.waitForCount(promised(ledger), undefined, { timeoutMs });
}
