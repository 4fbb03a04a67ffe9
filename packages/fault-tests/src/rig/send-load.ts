import { createHash, randomBytes } from 'node:crypto';
import { Agent, request } from 'undici';
import { nowMs } from '../now.ts';
import type { SentEvent } from '../oracle/ledgers.ts';

export interface Sender {
  readonly tenantId: string;
  readonly key: string;
}

export interface LoadPlan {
  readonly eventsPerSec: number;
  readonly senders: readonly Sender[];
  readonly types?: readonly string[];
  /** Further bytes of payload. */
  readonly fillerBytes?: number;
}

/** Events posted when each is due, whatever became of those before. */
export interface Load {
  /** Stops sending; resolves when all have been answered or given up. */
  stop(): Promise<void>;
}

export interface EventSender {
  readonly sent: readonly SentEvent[];
  start(plan: LoadPlan): Load;
  post(sender: Sender, type: string, fillerBytes?: number): Promise<SentEvent>;
  close(): Promise<void>;
}

/** Longer than ingest's own deadline: whoever gives up later than this knows nothing. */
const ANSWER_TIMEOUT_MS = 10_000;
const TICK_MS = 5;
/** None waits for another: what takes its time is the API, not the sender. */
const CONNECTIONS = 2_000;
/** No byte of the request can have been taken. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'UND_ERR_CONNECT_TIMEOUT']);

/** One sender in turn for every address of ingest. */
export function createEventSender(addresses: () => readonly string[]): EventSender {
  const agent = new Agent({
    connections: CONNECTIONS,
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
    connect: { timeout: 2_000 },
  });
  const sent: SentEvent[] = [];

  async function post(sender: Sender, type: string, fillerBytes = 0): Promise<SentEvent> {
    const n = sent.length;
    const filler = fillerBytes > 0 ? `,"filler":"${'x'.repeat(fillerBytes)}"` : '';
    // Bytes that a parser would not give back: a number past 2^53, its trailing zero, space before a colon.
    const payload = `{"n":${n} ,"id":"${randomBytes(8).toString('hex')}","big":12345678901234567890.10${filler}}`;
    const event: SentEvent = {
      n,
      tenantId: sender.tenantId,
      type,
      hash: createHash('sha256').update(payload).digest('hex').slice(0, 24),
      sentAtMs: nowMs(),
      answeredAtMs: Number.POSITIVE_INFINITY,
      answered: 'unknown',
      eventId: null,
      detail: 'no answer yet',
    };
    sent.push(event);
    const urls = addresses();
    const body = `{"tenant_id":"${sender.tenantId}","type":"${type}","payload":${payload}}`;
    try {
      const answer = await request(`${urls[n % urls.length]}/v1/events`, {
        dispatcher: agent,
        method: 'POST',
        headers: { authorization: `Bearer ${sender.key}`, 'content-type': 'application/json' },
        body,
      });
      note(event, answer.statusCode, await answer.body.text());
    } catch (error) {
      const code = (error as { code?: string }).code ?? String(error);
      event.answered = NEVER_SENT.has(code) ? 'refused' : 'unknown';
      event.detail = code;
    }
    event.answeredAtMs = nowMs();
    return event;
  }

  return {
    sent,
    post,
    start: (plan) => startLoad(plan, post),
    close: () => agent.destroy(),
  };
}

function note(event: SentEvent, status: number, text: string): void {
  const body = parse(text);
  event.detail = `${status} ${body.code ?? ''}`;
  if (status === 202) {
    event.answered = 'ok';
    event.eventId = body.event_id ?? null;
  } else if (status >= 500 && body.code !== 'not_accepted' && body.code !== 'overloaded') {
    event.answered = 'unknown';
  } else {
    event.answered = 'refused';
  }
}

function parse(text: string): { code?: string; event_id?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return { code: 'no JSON' };
  }
}

function startLoad(plan: LoadPlan, post: EventSender['post']): Load {
  const { types = ['load.even', 'load.odd'], senders, eventsPerSec, fillerBytes } = plan;
  const pending = new Set<Promise<unknown>>();
  const startedMs = nowMs();
  let sent = 0;
  const tick = () => {
    const due = Math.floor(((nowMs() - startedMs) * eventsPerSec) / 1_000);
    for (; sent < due; sent++) {
      const sender = senders[sent % senders.length]!;
      const type = types[Math.floor(sent / senders.length) % types.length]!;
      const posted = post(sender, type, fillerBytes).finally(() => pending.delete(posted));
      pending.add(posted);
    }
  };
  const timer = setInterval(tick, TICK_MS);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(pending);
    },
  };
}
