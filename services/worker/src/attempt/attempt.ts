import { deriveDeliveryId, hashUrl, mintEventId, type Outcome } from '@posthorn/contracts';
import { type Clock, failpoint, type Hop, type Logger, type Tracing } from '@posthorn/runtime';
import type { EndpointConfig } from '@posthorn/tenant-config';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import type { WorkerMetrics } from '../metrics.ts';
import type { Breaker } from '../schedule/breaker.ts';
import type { Made } from '../settle/made.ts';
import type { Settle } from '../settle/settle.ts';
import type { AttemptFacts, RequestBuilder } from './build-request.ts';
import { type Answered, classify } from './classify.ts';
import type { GoneEndpoints } from './gone-endpoints.ts';
import type { EndpointLoader, Loaded } from './load-endpoint.ts';
import type { Send } from './send.ts';

export interface AttemptSteps {
  readonly load: EndpointLoader['load'];
  readonly build: RequestBuilder['build'];
  readonly send: Send;
  readonly settle: Settle;
  readonly breaker: Pick<Breaker, 'judge' | 'observe' | 'abandon'>;
  readonly gone: Pick<GoneEndpoints, 'add'>;
  /** Frees the caps of a slot: what is left of it costs the receiver nothing. */
  requestEnded(slot: DeliverySlot): void;
  /** Asked after loading: a request starts only inside the fence, outside a rebalance, and while its lane is ours. */
  mayStart(slot: DeliverySlot): boolean;
  /** Inside the fence: asked once more when the request is about to be written. */
  mayAct(): boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: WorkerMetrics;
  readonly tracing: Tracing;
}

export type AttemptEnd = 'settled' | 'put_back';

/**
 * One try of one slot, the hot path: load, judge, build, send, classify, settle. The first try, a retry, a replay: which
 * it is is data. Never rejects.
 */
export async function attempt(steps: AttemptSteps, slot: DeliverySlot): Promise<AttemptEnd> {
  try {
    const loaded = await steps.load(slot);
    if (loaded.kind !== 'ready') {
      await steps.settle(slot, loaded);
      return 'settled';
    }
    if (!steps.mayStart(slot)) return 'put_back';
    const verdict = steps.breaker.judge(slot.endpointId, steps.clock.monotonicMs());
    if (verdict.kind !== 'open') return await request(steps, slot, loaded, verdict.kind);
    const { retryScheduleMs: scheduleMs, maxRetryMs } = loaded.endpoint;
    const { probeInMs } = verdict;
    const { lanes } = loaded.tenant;
    await steps.settle(slot, { kind: 'circuit_open', probeInMs, scheduleMs, maxRetryMs, lanes });
    return 'settled';
  } catch (error) {
    return putAside(steps, slot, error);
  }
}

/** A request is at its receiver by then, and its answer not yet here. */
const UNDER_WAY_MS = 20;

type Ready = Extract<Loaded, { kind: 'ready' }>;

async function request(
  steps: AttemptSteps,
  slot: DeliverySlot,
  loaded: Ready,
  admitted: 'closed' | 'probe',
): Promise<AttemptEnd> {
  let isProbing = admitted === 'probe';
  try {
    const begun = begin(steps, slot);
    const built = steps.build(slot, loaded.endpoint, begun);
    if (built.kind === 'request') slot.deadlineMs = steps.clock.monotonicMs() + built.request.deadlineMs;
    failpoint('mid-request', UNDER_WAY_MS);
    const sent = await steps.send(built);
    if (sent.kind === 'withheld') {
      begun.hop.end('withheld');
      return 'put_back';
    }
    steps.requestEnded(slot);
    const outcome = classify(sent, steps.clock.nowMs());
    isProbing = false;
    steps.breaker.observe(slot.work.tenantId, slot.endpointId, admitted, outcome, steps.clock.monotonicMs());
    if (outcome.kind === 'success') failpoint('after-2xx');
    const made = conclude(steps, slot, { loaded, begun, sent, outcome });
    await steps.settle(slot, { kind: 'attempted', made });
    return 'settled';
  } finally {
    // By the time it is settled the next probe may be under way: only one that was not made is given back.
    if (isProbing) steps.breaker.abandon(slot.endpointId);
  }
}

interface Begun extends AttemptFacts {
  readonly attemptId: string;
  readonly hop: Hop;
}

function begin(steps: AttemptSteps, slot: DeliverySlot): Begun {
  const { event, delivery, record } = slot.work;
  const nowMs = steps.clock.nowMs();
  const trace = steps.tracing.begin(event.traceparent);
  const hop = steps.tracing.hop('attempt delivery', trace, { attempt: delivery.attempt });
  return {
    attemptId: mintEventId(nowMs),
    deliveryId: deriveDeliveryId(event.eventId, slot.endpointId, delivery.run),
    nowMs,
    hop,
    traceparent: hop.traceparent,
    // Of a lane that was handed over meanwhile: its new owner waits for us.
    mayWrite: () => (record.live ? steps.mayAct() : record.mayStillSettle(slot.index)),
  };
}

interface Ended {
  readonly loaded: Ready;
  readonly begun: Begun;
  readonly sent: Answered;
  readonly outcome: Outcome;
}

const NO_BODY = Buffer.alloc(0);

function conclude(steps: AttemptSteps, slot: DeliverySlot, { loaded, begun, sent, outcome }: Ended): Made {
  const durationMs = sent.kind === 'invalid' ? 0 : sent.timing.totalMs;
  begun.hop.end(outcome.kind === 'failure' ? outcome.failure : undefined);
  steps.metrics.attempted(outcome, durationMs);
  if (slot.work.delivery.attempt === 1) steps.metrics.firstTried(slot.work.event.eventId);
  return {
    attemptId: begun.attemptId,
    deliveryId: begun.deliveryId,
    outcome,
    durationMs,
    timing: sent.kind === 'invalid' ? null : sent.timing,
    revision: loaded.tenant.revision,
    headers: sent.kind === 'response' ? sent.headers : null,
    body: sent.kind === 'response' ? sent.body : NO_BODY,
    traceparent: begun.traceparent,
    scheduleMs: loaded.endpoint.retryScheduleMs,
    maxRetryMs: loaded.endpoint.maxRetryMs,
    lanes: loaded.tenant.lanes,
    ...(isGone(outcome) ? { urlHash: disable(steps, loaded.endpoint) } : {}),
  };
}

const isGone = (outcome: Outcome): boolean => outcome.kind === 'failure' && outcome.failure === 'gone';

/** Here at once; for good by the recorder, if the URL is still the one that answered. */
function disable(steps: AttemptSteps, endpoint: EndpointConfig): string {
  steps.gone.add(endpoint, steps.clock.nowMs());
  return hashUrl(endpoint.url);
}

/**
 * What nobody foresaw is logged and moved out of its lane's way; it is tried again later, no attempt burnt. Where even
 * that throws the slot stays unfinished: it holds its offset, and the next owner of the lane tries it.
 */
async function putAside(steps: AttemptSteps, slot: DeliverySlot, error: unknown): Promise<AttemptEnd> {
  const { tenantId, event } = slot.work;
  const subject = { tenant_id: tenantId, event_id: event.eventId, webhook_id: slot.endpointId };
  steps.log.error({ ...subject, err: error }, 'attempt broke off');
  try {
    await steps.settle(slot, { kind: 'aside', reason: 'broken_off', lanes: null });
  } catch (again) {
    steps.log.error({ ...subject, err: again }, 'slot left unfinished');
  }
  return 'settled';
}
