import { deriveDeliveryId, mintEventId, type Outcome } from '@posthorn/contracts';
import type { Clock, Hop, Logger, Tracing } from '@posthorn/runtime';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import type { WorkerMetrics } from '../metrics.ts';
import type { Made } from '../settle/made.ts';
import type { Settle } from '../settle/settle.ts';
import type { AttemptFacts, RequestBuilder } from './build-request.ts';
import { classify } from './classify.ts';
import type { EndpointLoader, Loaded } from './load-endpoint.ts';
import type { Send, Sent } from './send.ts';

export interface AttemptSteps {
  readonly load: EndpointLoader['load'];
  readonly build: RequestBuilder['build'];
  readonly send: Send;
  readonly settle: Settle;
  /** Frees the caps of a slot: what is left of it costs the receiver nothing. */
  requestEnded(slot: DeliverySlot): void;
  /** Asked again after loading: a request starts only inside the fence and outside a rebalance. */
  mayStart(): boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: WorkerMetrics;
  readonly tracing: Tracing;
}

export type AttemptEnd = 'settled' | 'put_back';

/**
 * One try of one slot, the hot path: load, build, send, classify, settle. The first try, a retry, a replay: which it
 * is is data. Never rejects.
 */
export async function attempt(steps: AttemptSteps, slot: DeliverySlot): Promise<AttemptEnd> {
  try {
    const loaded = await steps.load(slot);
    if (loaded.kind !== 'ready') {
      await steps.settle(slot, loaded);
      return 'settled';
    }
    if (!steps.mayStart()) return 'put_back';
    const begun = begin(steps, slot);
    const built = steps.build(slot, loaded.endpoint, begun);
    const sent = await steps.send(built);
    steps.requestEnded(slot);
    const outcome = classify(sent, steps.clock.nowMs());
    const made = conclude(steps, slot, { loaded, begun, sent, outcome });
    await steps.settle(slot, { kind: 'attempted', made });
    return 'settled';
  } catch (error) {
    return putAside(steps, slot, error);
  }
}

interface Begun extends AttemptFacts {
  readonly attemptId: string;
  readonly hop: Hop;
}

function begin(steps: AttemptSteps, slot: DeliverySlot): Begun {
  const { event, delivery } = slot.work;
  const nowMs = steps.clock.nowMs();
  const trace = steps.tracing.begin(event.traceparent);
  const hop = steps.tracing.hop('attempt delivery', trace, { attempt: delivery.attempt });
  return {
    attemptId: mintEventId(nowMs),
    deliveryId: deriveDeliveryId(event.eventId, slot.endpointId, delivery.run),
    nowMs,
    hop,
    traceparent: hop.traceparent,
  };
}

interface Ended {
  readonly loaded: Extract<Loaded, { kind: 'ready' }>;
  readonly begun: Begun;
  readonly sent: Sent;
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
    body: sent.kind === 'response' ? sent.body : NO_BODY,
    traceparent: begun.traceparent,
    scheduleMs: loaded.endpoint.retryScheduleMs,
    lanes: loaded.tenant.lanes,
  };
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
    await steps.settle(slot, { kind: 'aside', lanes: null });
  } catch (again) {
    steps.log.error({ ...subject, err: again }, 'slot left unfinished');
  }
  return 'settled';
}
