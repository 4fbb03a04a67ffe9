import type { DeliveryId, Outcome } from '@posthorn/contracts';

/** An attempt that was made: what is needed to settle it. */
export interface Made {
  /** The request's own id. */
  readonly attemptId: string;
  readonly deliveryId: DeliveryId;
  readonly outcome: Outcome;
  readonly durationMs: number;
  /** The first bytes of the response, empty when there was none. */
  readonly body: Buffer;
  /** The trace context that the next hop continues. */
  readonly traceparent: string;
  /** Waits of the endpoint's own, null for the configured ones. */
  readonly scheduleMs: readonly number[] | null;
  /** The tenant's lanes as of now: a retry comes back to them. */
  readonly lanes: readonly number[];
}

/** Why a delivery is not tried any more although it never succeeded. */
export type CancelReason = 'endpoint_deleted' | 'endpoint_disabled' | 'endpoint_unknown' | 'tenant_unknown';
