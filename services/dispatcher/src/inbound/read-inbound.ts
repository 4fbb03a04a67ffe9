import { isUtf8 } from 'node:buffer';
import {
  deriveEventId,
  type EventMeta,
  type Headers,
  isClientEventId,
  isContentType,
  isEventType,
  isJsonType,
  isLabelKey,
  isLabelValue,
  isTenantId,
  type Labels,
  MAX_EVENT_BYTES,
  MAX_LABELS,
  normaliseTime,
  RecordFormatError,
} from '@posthorn/contracts';
import type { TrackedRecord } from '@posthorn/kafka';

/** An event of somebody else's producer: what it says itself, before it is stamped. */
export type InboundEvent = Pick<
  EventMeta,
  'eventId' | 'tenantId' | 'type' | 'labels' | 'occurredAt' | 'contentType' | 'clientEventId' | 'traceparent'
>;

export class TooLarge extends Error {
  override name = 'TooLarge';
}

const DEFAULT_CONTENT_TYPE = 'application/json';

/**
 * Reads a record by the CloudEvents Kafka protocol binding 1.0.2, binary mode, held to what the API holds a request to.
 * Headers that are not the event's own are left behind: nobody outside asks for a revision, an id or a delivery time.
 * @throws RecordFormatError, TooLarge
 */
export function readInbound(record: TrackedRecord): InboundEvent {
  const { headers, value } = record;
  if (value.length > MAX_EVENT_BYTES)
    throw new TooLarge(`the payload has ${value.length} bytes, ${MAX_EVENT_BYTES} are allowed`);
  if (headers.ce_specversion !== '1.0')
    throw new RecordFormatError('header ce_specversion is not 1.0: CloudEvents in binary mode are read');
  const contentType = headers['content-type'] ?? DEFAULT_CONTENT_TYPE;
  const event = {
    eventId: deriveEventId(record.timestampMs, record),
    tenantId: held(headers, 'ce_tenant', isTenantId),
    type: held(headers, 'ce_type', isEventType),
    labels: readLabels(headers.ce_labels),
    occurredAt: readTime(headers.ce_time, record.timestampMs),
    contentType,
    clientEventId: readClientId(headers),
    traceparent: headers.traceparent ?? '',
  };
  if (!isContentType(contentType)) throw new RecordFormatError('header content-type is no media type');
  if (isJsonType(contentType)) requireJson(value);
  return event;
}

function held(headers: Headers, name: string, valid: (text: string) => boolean): string {
  const value = headers[name];
  if (value === undefined) throw new RecordFormatError(`header ${name} is missing`);
  if (!valid(value)) throw new RecordFormatError(`header ${name} is ${JSON.stringify(value.slice(0, 80))}`);
  return value;
}

/** Source and id name an event together, by their specification. */
function readClientId(headers: Headers): string {
  const id = `${held(headers, 'ce_source', isGiven)} ${held(headers, 'ce_id', isGiven)}`;
  if (!isClientEventId(id)) throw new RecordFormatError('headers ce_source and ce_id make no id together');
  return id;
}

const isGiven = (text: string): boolean => text !== '';

/** When nothing is said, when the broker had it. */
function readTime(text: string | undefined, appendTimeMs: number): string {
  if (text === undefined) return new Date(appendTimeMs).toISOString();
  const time = normaliseTime(text);
  if (time === null) throw new RecordFormatError('header ce_time is no time of RFC 3339 from 1970 on');
  return time;
}

function readLabels(text: string | undefined): Labels {
  if (text === undefined) return {};
  let labels: unknown;
  try {
    labels = JSON.parse(text);
  } catch {
    // Null is none either.
    labels = null;
  }
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels))
    throw new RecordFormatError('header ce_labels is no JSON object');
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS)
    throw new RecordFormatError(`header ce_labels has ${entries.length} labels`);
  for (const [key, value] of entries) {
    if (!isLabelKey(key) || !isLabelValue(value))
      throw new RecordFormatError(
        `header ce_labels has an unusable label ${JSON.stringify(key.slice(0, 80))}`,
      );
  }
  return labels as Labels;
}

function requireJson(value: Buffer): void {
  try {
    if (isUtf8(value)) return void JSON.parse(value.toString('utf8'));
  } catch {
    // Said below.
  }
  throw new RecordFormatError('the payload is not the JSON that its content type says');
}
