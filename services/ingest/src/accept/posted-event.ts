import type { Labels } from '@posthorn/contracts';

/** An event as its sender gave it, in whichever form it came: read and valid, not yet admitted. */
export interface PostedEvent {
  readonly tenantId: string;
  readonly type: string;
  readonly labels: Labels;
  /** RFC 3339 in UTC; null when the sender gave none. */
  readonly occurredAt: string | null;
  /** Unix milliseconds; null for at once, and so for a time that is past. */
  readonly deliverAtMs: number | null;
  /** The bytes that receivers get: a view of the request's own wherever they stand in it as they are. */
  readonly payload: Buffer;
  /** Where it stands in what was sent, for faults: empty for all of the body. */
  readonly payloadPointer: string;
  /** Media type of the payload, fit for a header. */
  readonly contentType: string;
  /** The sender's own id of the event; null when it gave none. */
  readonly clientEventId: string | null;
  /** W3C trace context that came within the event. */
  readonly traceparent?: string;
}

export const JSON_CONTENT_TYPE = 'application/json';
