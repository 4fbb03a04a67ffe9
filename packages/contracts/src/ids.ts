import { createHash, randomFillSync } from 'node:crypto';
import { isPlainText } from './event.ts';

/**
 * Identifiers. Event ids are UUIDv7 (RFC 9562 §5.7), so they sort by time and name their day partition. A delivery
 * id starts with its event's: `<event id>_<16 hex digits of SHA-256(event, endpoint, run)>`, so that reprocessing
 * makes the same id. No id contains ".": the signature joins id, timestamp and body with it.
 */
export type EventId = string;
export type EndpointId = string;
export type DeliveryId = string;
export type TenantId = string;

/** The tenant that operational events belong to; its endpoints are the operator's own. */
export const OPERATOR_TENANT_ID: TenantId = 'posthorn';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const DELIVERY_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}_[0-9a-f]{16}$/;
const ENDPOINT_ID = /^ep_[0-9a-f]{32}$/;
const TENANT_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/i;

const RANDOM_POOL_BYTES = 4096;
const randomPool = Buffer.alloc(RANDOM_POOL_BYTES);
let randomUsed = RANDOM_POOL_BYTES;

function takeRandomHex(bytes: number): string {
  if (randomUsed + bytes > RANDOM_POOL_BYTES) {
    randomFillSync(randomPool);
    randomUsed = 0;
  }
  const hex = randomPool.toString('hex', randomUsed, randomUsed + bytes);
  randomUsed += bytes;
  return hex;
}

/** A UUIDv7 whose first 48 bits are `nowMs` (Unix milliseconds). */
export const mintEventId = (nowMs: number): EventId => toEventId(nowMs, takeRandomHex(10));

/**
 * The id of an event that somebody else put into a topic: a UUIDv7 of when the broker appended it, its random bits out of
 * SHA-256(topic, partition, offset). The same however often the record is read.
 */
export function deriveEventId(
  appendTimeMs: number,
  record: { readonly topic: string; readonly partition: number; readonly offset: number },
): EventId {
  const place = `${record.topic}\n${record.partition}\n${record.offset}`;
  return toEventId(appendTimeMs, createHash('sha256').update(place).digest('hex'));
}

function toEventId(atMs: number, random: string): EventId {
  const time = atMs.toString(16).padStart(12, '0');
  const variant = ((Number.parseInt(random[3]!, 16) & 0x3) | 0x8).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`;
}

/** `ep_` and the 32 hex digits of a UUIDv7. */
export function mintEndpointId(nowMs: number): EndpointId {
  return `ep_${mintEventId(nowMs).replaceAll('-', '')}`;
}

/** The id of one event's delivery to one endpoint in one run (0 at first): the same for whoever derives it. */
export function deriveDeliveryId(eventId: EventId, endpointId: EndpointId, run: number): DeliveryId {
  const digest = createHash('sha256').update(`${eventId}\n${endpointId}\n${run}`).digest('hex');
  return `${eventId}_${digest.slice(0, 16)}`;
}

/** Unix milliseconds at which the event of this event or delivery id was accepted. */
export function acceptedAtMs(id: EventId | DeliveryId): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** The UTC day (`YYYY-MM-DD`) whose partition holds the rows of this event or delivery id. */
export function dayOf(id: EventId | DeliveryId): string {
  return new Date(acceptedAtMs(id)).toISOString().slice(0, 10);
}

export const isEventId = (text: string): boolean => UUID_V7.test(text);
export const isDeliveryId = (text: string): boolean => DELIVERY_ID.test(text);
export const isEndpointId = (text: string): boolean => ENDPOINT_ID.test(text);
/** 1–64 of ASCII letters, digits, `_` and `-`, the first a letter or digit; compared byte by byte. */
export const isTenantId = (text: string): boolean => TENANT_ID.test(text);

export const MAX_CLIENT_EVENT_ID_CHARS = 256;

/** A sender's own id of an event: 1–256 characters, none of control, compared byte by byte. */
export const isClientEventId = (text: string): boolean =>
  text.length >= 1 && text.length <= MAX_CLIENT_EVENT_ID_CHARS && isPlainText(text);
