import type { DeliveryId, Outcome } from '@posthorn/contracts';
import type { SendTiming, SentResponse } from '@posthorn/egress';

/** How long an endpoint lets its deliveries be retried. */
export interface RoundLimits {
  /** Waits of the endpoint's own, null for the configured ones. */
  readonly scheduleMs: readonly number[] | null;
  /** Time budget of one round: its waits and attempts together. Null: none. */
  readonly maxRetryMs: number | null;
}

/** An attempt that was made: what is needed to settle it. */
export interface Made extends RoundLimits {
  /** The request's own id. */
  readonly attemptId: string;
  readonly deliveryId: DeliveryId;
  readonly outcome: Outcome;
  readonly durationMs: number;
  /** Null when no request could be made. */
  readonly timing: SendTiming | null;
  /** Of the configuration that the request was made from. */
  readonly revision: number;
  /** Of the response; null when there was none. */
  readonly headers: SentResponse['headers'] | null;
  /** The first bytes of the response, empty when there was none. */
  readonly body: Buffer;
  /** The trace context that the next hop continues. */
  readonly traceparent: string;
  /** The tenant's lanes as of now: a retry comes back to them. */
  readonly lanes: readonly number[];
  /** Of a 410: which URL answered it. */
  readonly urlHash?: string;
}

/** Why a delivery is not tried any more although it never succeeded. */
export type CancelReason =
  | 'endpoint_deleted'
  | 'endpoint_disabled'
  | 'endpoint_unknown'
  | 'tenant_unknown'
  | 'cancelled_by_request';

/** Why a slot is not tried now. */
export type AsideReason = 'unavailable' | 'broken_off' | 'paused';

/** What came of a slot. */
export type Conclusion =
  | { readonly kind: 'attempted'; readonly made: Made }
  | { readonly kind: 'cancelled'; readonly reason: CancelReason }
  /** It could not be tried, and no attempt is burnt. `lanes` is null when its tenant is not known. */
  | { readonly kind: 'aside'; readonly reason: AsideReason; readonly lanes: readonly number[] | null }
  | CircuitOpen
  | Gone;

/** Its endpoint's circuit is open: it waits, or is given up when it has waited for long enough. */
export interface CircuitOpen extends RoundLimits {
  readonly kind: 'circuit_open';
  readonly probeInMs: number;
  readonly lanes: readonly number[];
}

/** Its endpoint takes nothing any more, and nobody asked for that: it is a dead letter without an attempt. */
export interface Gone {
  readonly kind: 'gone';
  readonly detail: string;
  readonly lanes: readonly number[];
}
