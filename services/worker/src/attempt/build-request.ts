import { type OutboundRequest, parseTarget, type Target } from '@posthorn/egress';
import { parseSecret, type SigningKey, sign } from '@posthorn/signing';
import type { EndpointConfig } from '@posthorn/tenant-config';
import type { DeliverySlot } from '../intake/delivery-work.ts';

/** `invalid`: no request can be made of this endpoint, and none ever will. */
export type Built =
  | { readonly kind: 'request'; readonly request: OutboundRequest }
  | { readonly kind: 'invalid'; readonly detail: string };

export interface RequestBuilder {
  /** @throws SealedSecretError when the endpoint's secrets cannot be opened with the key of this process. */
  build(slot: DeliverySlot, endpoint: EndpointConfig, attempt: AttemptFacts): Built;
}

export interface AttemptFacts {
  readonly deliveryId: string;
  readonly nowMs: number;
  readonly traceparent: string;
  /** Asked in the turn in which the request is written. */
  mayWrite(): boolean;
}

export interface RequestOptions {
  readonly userAgent: string;
  /** For endpoints without a deadline of their own. */
  readonly attemptTimeoutMs: number;
  readonly maxResponseBytes: number;
  /** Receivers are other people's systems: whether they see our trace context is the operator's choice. */
  readonly sendTraceparent: boolean;
}

/** What an endpoint's configuration comes to: parsed when it is first used, kept as long as the configuration. */
type Prepared =
  | { readonly kind: 'ready'; readonly target: Target; readonly keys: readonly SigningKey[] }
  | { readonly kind: 'invalid'; readonly detail: string };

export function createRequestBuilder(options: RequestOptions): RequestBuilder {
  const prepared = new WeakMap<EndpointConfig, Prepared>();

  function prepare(endpoint: EndpointConfig): Prepared {
    let known = prepared.get(endpoint);
    if (known === undefined) {
      known = prepareEndpoint(endpoint);
      prepared.set(endpoint, known);
    }
    return known;
  }

  return {
    build(slot, endpoint, attempt) {
      const ready = prepare(endpoint);
      if (ready.kind === 'invalid') return ready;
      return {
        kind: 'request',
        request: {
          target: ready.target,
          method: 'POST',
          headers: buildHeaders(options, slot, attempt, ready.keys),
          body: slot.work.payload,
          deadlineMs: endpoint.attemptTimeoutMs ?? options.attemptTimeoutMs,
          maxResponseBytes: options.maxResponseBytes,
          mayWrite: attempt.mayWrite,
        },
      };
    },
  };
}

function prepareEndpoint(endpoint: EndpointConfig): Prepared {
  const target = parseTarget(endpoint.url);
  if (target === null) return { kind: 'invalid', detail: 'the URL is not an http(s) URL' };
  const keys: SigningKey[] = [];
  for (const secret of endpoint.secrets) {
    const parsed = parseSecret(secret.text);
    if (!parsed.ok) return { kind: 'invalid', detail: `the signing secret is not usable: ${parsed.reason}` };
    keys.push(parsed.key);
  }
  if (keys.length === 0) return { kind: 'invalid', detail: 'the endpoint has no signing secret' };
  return { kind: 'ready', target, keys };
}

/** Name, value, name, value: the form that costs least to send. */
function buildHeaders(
  options: RequestOptions,
  slot: DeliverySlot,
  attempt: AttemptFacts,
  keys: readonly SigningKey[],
): string[] {
  const { event, delivery, payload } = slot.work;
  const signature = sign({
    id: attempt.deliveryId,
    timestampSeconds: Math.floor(attempt.nowMs / 1_000),
    body: payload,
    keys,
  });
  const headers = [
    'webhook-id',
    signature['webhook-id'],
    'webhook-timestamp',
    signature['webhook-timestamp'],
    'webhook-signature',
    signature['webhook-signature'],
    'x-webhook-signature',
    signature['x-webhook-signature'],
    'x-webhook-event-id',
    event.eventId,
    'x-webhook-event-type',
    event.type,
    'x-webhook-run',
    String(delivery.run),
    'x-webhook-attempt',
    String(delivery.attempt),
    'content-type',
    event.contentType,
    'user-agent',
    options.userAgent,
  ];
  if (options.sendTraceparent) headers.push('traceparent', attempt.traceparent);
  return headers;
}
