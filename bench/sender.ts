import { Pool } from 'undici';

/**
 * Posts events at a fixed rate, open loop: event i is due at start + i / rate and its latency counts from then, however
 * late it went out. A process of its own; the plan comes over IPC, the report goes back.
 */
export interface SendPlan {
  readonly url: string;
  readonly eventsPerSec: number;
  readonly seconds: number;
  readonly payloadBytes: number;
  readonly tenants: readonly { readonly tenantId: string; readonly key: string }[];
}

export interface SendReport {
  readonly sent: number;
  readonly accepted: number;
  /** Deliveries that the accepted events were promised. */
  readonly queued: number;
  /** Answers other than 202, by status and code. */
  readonly refused: Readonly<Record<string, number>>;
  /** Milliseconds from when an event was due to its 202, sorted. */
  readonly ackMs: readonly number[];
  /** How late the last event went out: above a few ms the sender itself was short of CPU. */
  readonly lastLagMs: number;
}

const TICK_MS = 2;

async function send(plan: SendPlan): Promise<SendReport> {
  const pool = new Pool(plan.url, { connections: 128, pipelining: 1 });
  const total = Math.round(plan.eventsPerSec * plan.seconds);
  const filler = 'x'.repeat(Math.max(0, plan.payloadBytes - 60));
  const ackMs: number[] = [];
  const refused: Record<string, number> = {};
  const pending = new Set<Promise<void>>();
  let accepted = 0;
  let queued = 0;
  let sent = 0;
  let lastLagMs = 0;

  async function post(n: number, dueMs: number): Promise<void> {
    const tenant = plan.tenants[n % plan.tenants.length]!;
    const body = `{"tenant_id":"${tenant.tenantId}","type":"load.sent","payload":{"due":${dueMs.toFixed(3)},"n":${n},"filler":"${filler}"}}`;
    try {
      const answer = await pool.request({
        method: 'POST',
        path: '/v1/events',
        headers: { authorization: `Bearer ${tenant.key}`, 'content-type': 'application/json' },
        body,
      });
      const text = await answer.body.text();
      if (answer.statusCode === 202) {
        accepted += 1;
        queued += Number(/"webhooks_queued":(\d+)/.exec(text)?.[1] ?? 0);
        ackMs.push(Date.now() - dueMs);
      } else note(`${answer.statusCode} ${/"code":"([a-z_]+)"/.exec(text)?.[1] ?? ''}`);
    } catch (error) {
      note(error instanceof Error ? error.message : String(error));
    }
  }
  function note(what: string): void {
    refused[what] = (refused[what] ?? 0) + 1;
  }

  const startMs = Date.now() + 50;
  while (sent < total) {
    const nowMs = Date.now();
    for (; sent < total; sent++) {
      const dueMs = startMs + (sent * 1000) / plan.eventsPerSec;
      if (dueMs > nowMs) break;
      lastLagMs = nowMs - dueMs;
      const posted = post(sent, dueMs).finally(() => pending.delete(posted));
      pending.add(posted);
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await Promise.all(pending);
  await pool.close();
  return { sent, accepted, queued, refused, ackMs: ackMs.sort((a, b) => a - b), lastLagMs };
}

process.on('message', (plan: SendPlan) => {
  void send(plan).then((report) => process.send?.(report));
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
