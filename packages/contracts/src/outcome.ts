/**
 * What came of an attempt: a closed union, classified once (worker `attempt/classify.ts`). The failure class is what
 * tenants read in the API and what the retry policy decides by.
 */
export type FailureClass =
  | 'timeout'
  | 'dns'
  | 'connect'
  | 'tls'
  | 'protocol'
  | 'response_too_large'
  | 'http_4xx'
  | 'http_5xx'
  | 'redirect'
  | 'rate_limited'
  | 'gone'
  | 'invalid_endpoint'
  | 'auth'
  | 'circuit_open';

export type Outcome =
  | { readonly kind: 'success'; readonly status: number }
  | {
      readonly kind: 'failure';
      readonly failure: FailureClass;
      readonly status: number | null;
      readonly detail: string;
      /** Milliseconds the receiver asked us to wait (Retry-After), null when it did not. */
      readonly retryAfterMs: number | null;
    };

/** Transient failures are retried on the endpoint's schedule; permanent ones are dead-lettered at once. */
export const FAILURE_KIND: Readonly<Record<FailureClass, 'transient' | 'permanent'>> = {
  timeout: 'transient',
  dns: 'transient',
  connect: 'transient',
  tls: 'transient',
  protocol: 'transient',
  response_too_large: 'transient',
  http_4xx: 'transient',
  http_5xx: 'transient',
  redirect: 'transient',
  rate_limited: 'transient',
  gone: 'permanent',
  invalid_endpoint: 'permanent',
  auth: 'transient',
  circuit_open: 'transient',
};

/**
 * What a failure says about its receiver to the breaker: `down` counts towards an open circuit; `up` is an answer, if
 * not the one hoped for, and closes one; `nothing` does neither. An answer of 429 asks for fewer requests: it neither
 * opens a circuit nor ends one.
 */
export const RECEIVER_SIGN: Readonly<Record<FailureClass, 'down' | 'up' | 'nothing'>> = {
  timeout: 'down',
  dns: 'down',
  connect: 'down',
  tls: 'down',
  protocol: 'down',
  response_too_large: 'up',
  http_4xx: 'up',
  http_5xx: 'down',
  redirect: 'up',
  rate_limited: 'nothing',
  gone: 'nothing',
  invalid_endpoint: 'nothing',
  auth: 'nothing',
  circuit_open: 'nothing',
};

/** Why a delivery is in the dead letters. */
export type DeadLetterReason =
  | 'attempts_exhausted'
  /** The endpoint's time budget for one round ran out before its attempts did. */
  | 'time_exhausted'
  /** The breaker kept the delivery from being tried for the whole of its time budget. */
  | 'circuit_open'
  | 'endpoint_gone'
  | 'invalid_endpoint';
