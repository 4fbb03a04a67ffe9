import type { Labels } from './event.ts';
import {
  checked,
  countOf,
  fromOne,
  type Headers,
  integer,
  quote,
  RecordFormatError,
  required,
} from './header-fields.ts';
import {
  type EndpointId,
  type EventId,
  isClientEventId,
  isEndpointId,
  isEventId,
  isTenantId,
  type TenantId,
} from './ids.ts';
import type { DeadLetterReason } from './outcome.ts';
import { MAX_SLOTS } from './topics.ts';

/**
 * Kafka records: metadata in headers, the payload's own bytes in the value. `events` follows the CloudEvents Kafka
 * protocol binding 1.0.2, binary mode (`ce_*`, `content-type`); the records after it carry the same value and headers
 * and add delivery headers (`ph_*`). Each header is unique, UTF-8 text. Never a secret, never a URL.
 */
/** The version of the record format; a reader takes what it knows and sets aside what it does not. */
export const RECORD_VERSION = '1';

export interface EventMeta {
  readonly eventId: EventId;
  readonly tenantId: TenantId;
  readonly type: string;
  readonly labels: Labels;
  /** When it happened, by the sender (`occurred_at`), else when it was accepted. RFC 3339. */
  readonly occurredAt: string;
  readonly contentType: string;
  /** The tenant's configuration revision at acceptance. */
  readonly revision: number;
  /** Days the record of this event is kept: 7, 30 or 90. */
  readonly retentionDays: number;
  /** W3C trace context of the hop before. */
  readonly traceparent: string;
  /** Unix milliseconds before which it must not be delivered; left out for at once. */
  readonly deliverAtMs?: number;
  /** Exactly these of its tenant's endpoints get it (1–64), whatever they subscribed to; left out for those that match. */
  readonly only?: readonly EndpointId[];
  /**
   * The second stamp: the revision of the operator's configuration at acceptance, by which system endpoints are matched;
   * left out while there are none.
   */
  readonly systemRevision?: number;
  /** Its tenant's endpoints have it: what is left is to reach the system endpoints. */
  readonly systemOnly?: true;
  /** On what goes to a system endpoint, where the tenant is the operator's own: the tenant whose event it is. */
  readonly sourceTenantId?: TenantId;
  /** The sender's own id of the event; left out when it gave none. */
  readonly clientEventId?: string;
}

/** Which try of which deliveries a record asks for. */
export interface DeliveryMeta {
  /** 1–64 endpoints; a retry carries exactly one. */
  readonly slots: readonly EndpointId[];
  readonly run: number;
  readonly round: number;
  /** The number of the attempt this record asks for, from 1 within its round. */
  readonly attempt: number;
  /** The lane it belongs to, for the way back from a tier. */
  readonly lane: number;
}

/** How long a record on a tier still has to wait, and where it goes then. */
export interface WaitMeta {
  /** Milliseconds from the record's append time to its due time. */
  readonly delayMs: number;
  readonly returnTo: 'deliveries' | 'events';
  /** How often it was put aside without an attempt. */
  readonly bounces: number;
}

export interface DeadLetterMeta {
  readonly reason: DeadLetterReason;
  readonly lastFailure: string;
  readonly lastStatus: number | null;
  readonly lastError: string;
  /** Attempts made in this round. */
  readonly attempts: number;
  /** Unix milliseconds, by the worker. */
  readonly failedAtMs: number;
}

/** The headers of a record in `events`; `ce_labels` is left out when there are none. */
export function encodeEvent(meta: EventMeta): Headers {
  const headers: Headers = {
    ce_specversion: '1.0',
    ce_id: meta.eventId,
    ce_source: '/posthorn',
    ce_type: meta.type,
    ce_time: meta.occurredAt,
    'content-type': meta.contentType,
    ce_tenant: meta.tenantId,
    ph_v: RECORD_VERSION,
    ph_revision: String(meta.revision),
    ph_retention: String(meta.retentionDays),
    traceparent: meta.traceparent,
  };
  if (Object.keys(meta.labels).length > 0) headers.ce_labels = JSON.stringify(meta.labels);
  if (meta.deliverAtMs !== undefined) headers.ph_deliver_at_ms = String(meta.deliverAtMs);
  if (meta.only !== undefined) headers.ph_only = meta.only.join(',');
  if (meta.clientEventId !== undefined) headers.ce_clientid = meta.clientEventId;
  if (meta.systemRevision !== undefined) headers.ph_system_revision = String(meta.systemRevision);
  if (meta.systemOnly) headers.ph_system_only = 'true';
  if (meta.sourceTenantId !== undefined) headers.ph_source_tenant = meta.sourceTenantId;
  return headers;
}

/** @throws RecordFormatError naming the header that is missing or malformed. */
export function decodeEvent(headers: Headers): EventMeta {
  if (headers.ph_v !== RECORD_VERSION) throw new RecordFormatError(`ph_v is ${quote(headers.ph_v)}, not 1`);
  const meta: Decoded = {
    eventId: checked(headers, 'ce_id', isEventId),
    tenantId: checked(headers, 'ce_tenant', isTenantId),
    type: required(headers, 'ce_type'),
    labels: decodeLabels(headers.ce_labels),
    occurredAt: required(headers, 'ce_time'),
    contentType: required(headers, 'content-type'),
    revision: integer(headers, 'ph_revision'),
    retentionDays: integer(headers, 'ph_retention'),
    traceparent: headers.traceparent ?? '',
  };
  if (headers.ph_deliver_at_ms !== undefined) meta.deliverAtMs = integer(headers, 'ph_deliver_at_ms');
  if (headers.ph_only !== undefined) meta.only = endpointsOf(headers, 'ph_only');
  if (headers.ce_clientid !== undefined)
    meta.clientEventId = checked(headers, 'ce_clientid', isClientEventId);
  if (headers.ph_system_revision !== undefined) meta.systemRevision = integer(headers, 'ph_system_revision');
  if (headers.ph_system_only === 'true') meta.systemOnly = true;
  if (headers.ph_source_tenant !== undefined)
    meta.sourceTenantId = checked(headers, 'ph_source_tenant', isTenantId);
  return meta;
}

type Decoded = { -readonly [Field in keyof EventMeta]: EventMeta[Field] };

/** What is added for `deliveries`, tiers and dead letters. */
export function encodeDelivery(meta: DeliveryMeta): Headers {
  return {
    ph_slots: meta.slots.join(','),
    ph_run: String(meta.run),
    ph_round: String(meta.round),
    ph_attempt: String(meta.attempt),
    ph_lane: String(meta.lane),
  };
}

/** @throws RecordFormatError naming the header that is missing or malformed. */
export function decodeDelivery(headers: Headers): DeliveryMeta {
  const slots = decodeSlots(headers);
  return {
    slots,
    run: integer(headers, 'ph_run'),
    round: integer(headers, 'ph_round'),
    attempt: fromOne(headers, 'ph_attempt'),
    lane: integer(headers, 'ph_lane'),
  };
}

/** The endpoints a record names. @throws RecordFormatError when there are none, too many, or one is malformed. */
export const decodeSlots = (headers: Headers): EndpointId[] => endpointsOf(headers, 'ph_slots');

function endpointsOf(headers: Headers, name: 'ph_slots' | 'ph_only'): EndpointId[] {
  const endpointIds = required(headers, name).split(',');
  if (endpointIds.length > MAX_SLOTS)
    throw new RecordFormatError(`${name} names ${endpointIds.length} endpoints`);
  for (const endpointId of endpointIds) {
    if (!isEndpointId(endpointId)) throw new RecordFormatError(`${name} names ${quote(endpointId)}`);
  }
  return endpointIds;
}

/** Whole milliseconds, none less than 0: what is left of a wait may come from a clock that counts fractions. */
export function encodeWait(meta: WaitMeta): Headers {
  return {
    ph_delay_ms: String(Math.max(0, Math.round(meta.delayMs))),
    ph_return: meta.returnTo,
    ph_bounces: String(meta.bounces),
  };
}

/** @throws RecordFormatError naming the header that is missing or malformed. */
export function decodeWait(headers: Headers): WaitMeta {
  const returnTo = required(headers, 'ph_return');
  if (returnTo !== 'deliveries' && returnTo !== 'events') {
    throw new RecordFormatError(`ph_return is ${quote(returnTo)}`);
  }
  return { delayMs: integer(headers, 'ph_delay_ms'), returnTo, bounces: integer(headers, 'ph_bounces') };
}

/** How often a record was put aside, read where it is on no tier any more: 0 when the header is missing or no count. */
export const bouncesOf = (headers: Headers): number => countOf(headers.ph_bounces);

/** The headers of a record that leaves its tier: what belonged to the wait is gone, the bounces stay. */
export function withoutWait(headers: Headers): Headers {
  const { ph_delay_ms: _delay, ph_return: _return, ph_crowded: _crowded, ...rest } = headers;
  return rest;
}

/** What is added for `dead-letters`. Texts may be empty, a status of null is the empty text. */
export function encodeDeadLetter(meta: DeadLetterMeta): Headers {
  return {
    ph_reason: meta.reason,
    ph_last_failure: meta.lastFailure,
    ph_last_status: meta.lastStatus === null ? '' : String(meta.lastStatus),
    ph_last_error: meta.lastError,
    ph_attempts: String(meta.attempts),
    ph_failed_at_ms: String(meta.failedAtMs),
  };
}

/** @throws RecordFormatError naming the header that is missing or malformed. */
export function decodeDeadLetter(headers: Headers): DeadLetterMeta {
  const status = headers.ph_last_status ?? '';
  return {
    reason: required(headers, 'ph_reason') as DeadLetterReason,
    lastFailure: headers.ph_last_failure ?? '',
    lastStatus: status === '' ? null : integer(headers, 'ph_last_status'),
    lastError: headers.ph_last_error ?? '',
    attempts: integer(headers, 'ph_attempts'),
    failedAtMs: integer(headers, 'ph_failed_at_ms'),
  };
}

/** The event's own headers out of any record that carries them: what the next hop's record starts from. */
export function eventHeaders(headers: Headers): Headers {
  const kept: Headers = {};
  for (const name of EVENT_HEADERS) {
    const value = headers[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

const EVENT_HEADERS = [
  'ce_specversion',
  'ce_id',
  'ce_source',
  'ce_type',
  'ce_time',
  'content-type',
  'ce_tenant',
  'ce_labels',
  'ph_source_tenant',
  'ph_v',
  'ph_revision',
  'ph_retention',
  'traceparent',
] as const;

function decodeLabels(text: string | undefined): Labels {
  if (text === undefined) return NO_LABELS;
  try {
    const labels: unknown = JSON.parse(text);
    if (typeof labels === 'object' && labels !== null && !Array.isArray(labels)) return labels as Labels;
  } catch {
    // falls through to the one error below
  }
  throw new RecordFormatError(`header ce_labels is ${quote(text)}`);
}

const NO_LABELS: Labels = Object.freeze({});
