import { type RequestHeaderNames, requestHeaderNames, requestHeaders } from '@posthorn/contracts';
import { type OutboundRequest, parseTarget, type Target } from '@posthorn/egress';
import { makeSignatures, parseSigningKey, type SigningKey } from '@posthorn/signing';
import { type EndpointConfig, ownHeadersOf, signersOf } from '@posthorn/tenant-config';
import type { DeliverySlot } from '../intake/delivery-work.ts';
import { type PreparedAuth, prepareAuth } from './prepare-auth.ts';
import { type Needles, needlesOf } from './scrub-response.ts';
import type { TokenGrant } from './token-grant.ts';

/** `invalid`: no request can be made of this endpoint, and none ever will. */
export type Built =
  | {
      readonly kind: 'request';
      readonly request: OutboundRequest;
      /** How the token is had that the request still needs; null where it needs none. */
      readonly grant: TokenGrant | null;
      /** What is not to be in the record where an answer repeats it. */
      readonly secrets: Needles;
    }
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
  /** What the names of our headers begin with. */
  readonly headerPrefix: string;
  /** For endpoints without a deadline of their own. */
  readonly attemptTimeoutMs: number;
  readonly maxResponseBytes: number;
  /** Receivers are other people's systems: whether they see our trace context is the operator's choice. */
  readonly sendTraceparent: boolean;
}

/** What an endpoint's configuration comes to: parsed when it is first used, kept as long as the configuration. */
type Prepared = Ready | { readonly kind: 'invalid'; readonly detail: string };

interface Ready {
  readonly kind: 'ready';
  readonly target: Target;
  readonly headers: EndpointConfig['headers'];
  readonly auth: PreparedAuth;
  readonly secrets: Needles;
  readonly keys: readonly ExpiringKey[];
  /** Those that sign, until the next of them has expired. */
  signing: readonly SigningKey[];
  signingUntilMs: number;
}

interface ExpiringKey {
  readonly key: SigningKey;
  readonly expiresAtMs: number;
}

export function createRequestBuilder(options: RequestOptions): RequestBuilder {
  const names = requestHeaderNames(options.headerPrefix);
  const prepared = new WeakMap<EndpointConfig, Prepared>();

  function prepare(endpoint: EndpointConfig): Prepared {
    let known = prepared.get(endpoint);
    if (known === undefined) {
      known = prepareEndpoint(endpoint, options);
      prepared.set(endpoint, known);
    }
    return known;
  }

  return {
    build(slot, endpoint, attempt) {
      const ready = prepare(endpoint);
      if (ready.kind === 'invalid') return ready;
      const keys = keysAt(ready, attempt.nowMs);
      if (keys.length === 0) return NO_SECRET;
      return {
        kind: 'request',
        request: {
          target: ready.target,
          method: endpoint.method,
          headers: buildHeaders(names, options, slot, attempt, ready.headers, keys),
          body: slot.work.payload,
          deadlineMs: endpoint.attemptTimeoutMs ?? options.attemptTimeoutMs,
          maxResponseBytes: options.maxResponseBytes,
          onBehalfOf: slot.work.tenantId,
          tls: ready.auth.tls,
          mayWrite: attempt.mayWrite,
        },
        grant: ready.auth.grant,
        secrets: ready.secrets,
      };
    },
  };
}

const NO_SECRET = { kind: 'invalid', detail: 'the endpoint has no signing secret' } as const;

function prepareEndpoint(endpoint: EndpointConfig, { headerPrefix, userAgent }: RequestOptions): Prepared {
  const target = parseTarget(endpoint.url);
  if (target === null) return { kind: 'invalid', detail: 'the URL is not an http(s) URL' };
  const keys: ExpiringKey[] = [];
  for (const { scheme, text, expiresAtMs } of signersOf(endpoint)) {
    const parsed = parseSigningKey(scheme, text);
    if (!parsed.ok) return { kind: 'invalid', detail: `the signing secret is not usable: ${parsed.reason}` };
    keys.push({ key: parsed.key, expiresAtMs: expiresAtMs ?? Number.POSITIVE_INFINITY });
  }
  const auth = prepareAuth(endpoint, ['user-agent', userAgent]);
  if (auth.kind === 'invalid') return auth;
  const headers = ownHeadersOf(endpoint, headerPrefix);
  const secrets = needlesOf([...secretsIn(endpoint.headers), ...auth.secrets]);
  return { kind: 'ready', target, headers, auth, secrets, keys, signing: [], signingUntilMs: 0 };
}

/** Any value may be one, but for what is accepted: answers say the same of themselves (`application/json`). */
const secretsIn = (headers: EndpointConfig['headers']): string[] =>
  headers.filter(([name]) => !/^accept(-|$)/.test(name)).map(([, value]) => value);

/** A secret that was replaced signs beside the new one until its grace is over, and not a moment longer. */
function keysAt(ready: Ready, nowMs: number): readonly SigningKey[] {
  if (nowMs < ready.signingUntilMs) return ready.signing;
  const valid = ready.keys.filter(({ expiresAtMs }) => nowMs < expiresAtMs);
  ready.signing = valid.map(({ key }) => key);
  ready.signingUntilMs = valid.reduce((soonest, { expiresAtMs }) => Math.min(soonest, expiresAtMs), Infinity);
  return ready.signing;
}

function buildHeaders(
  names: RequestHeaderNames,
  options: RequestOptions,
  slot: DeliverySlot,
  attempt: AttemptFacts,
  own: EndpointConfig['headers'],
  keys: readonly SigningKey[],
): string[] {
  const { event, delivery, payload } = slot.work;
  const headers = requestHeaders(names, {
    signature: makeSignatures({
      id: attempt.deliveryId,
      timestampSeconds: Math.floor(attempt.nowMs / 1_000),
      body: payload,
      keys,
    }),
    eventId: event.eventId,
    eventType: event.type,
    run: delivery.run,
    attempt: delivery.attempt,
    contentType: event.contentType,
    sourceTenantId: event.sourceTenantId,
    userAgent: options.userAgent,
    headers: own,
  });
  if (options.sendTraceparent) headers.push('traceparent', attempt.traceparent);
  return headers;
}
