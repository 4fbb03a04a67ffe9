import { MAX_EVENT_BYTES } from '@posthorn/contracts';
import { type Fault, invalidRequest, isProblem, type Problem } from '../http/problem.ts';
import { checkJson, NOT_AN_OBJECT } from '../http/read-json.ts';
import { pointerTo } from '../http/validation.ts';
import {
  type ReadContext,
  readClientEventId,
  readContentType,
  readDeliverAt,
  readLabels,
  readOccurredAt,
  readTenantId,
  readType,
} from './check-fields.ts';
import { type Member, readMemberKey } from './payload-span.ts';
import type { PostedEvent } from './posted-event.ts';
import {
  base64Payload,
  jsonPayload,
  NO_PAYLOAD,
  type Payload,
  payloadTooLarge,
  textPayload,
} from './read-payload.ts';

const FIELDS = [
  'tenant_id',
  'type',
  'payload',
  'labels',
  'event_id',
  'timestamp',
  'occurred_at',
  'deliver_at',
  'payload_text',
  'payload_base64',
  'content_type',
] as const;
type Field = (typeof FIELDS)[number];
type Found = Partial<Record<Field, Member>>;

/** Room beside the payload for the rest of the envelope: ids, labels with every character escaped, spacing. */
export const ENVELOPE_BYTES = 64 * 1024;
/** The largest payload fits as base64. */
export const MAX_EVENT_REQUEST_BYTES = Math.ceil(MAX_EVENT_BYTES / 3) * 4 + ENVELOPE_BYTES;

/**
 * Reads the envelope of `POST /events` by hand: only its small members are parsed, a JSON payload is a span of the body,
 * and every fault is listed. Of a member that comes twice the last one counts, as in JSON.parse.
 */
export function parseEvent(body: Buffer, context: ReadContext): PostedEvent | Problem {
  const document = checkJson(body);
  if (document === null) return NOT_AN_OBJECT;
  if (isProblem(document)) return document;
  const faults: Fault[] = [];
  const found = findFields(body, document.members, faults);
  const value = (field: Field): unknown => {
    const member = found[field];
    return member && readValue(body, member);
  };
  const span = found.payload;
  const tooLarge = span ? payloadTooLarge(span.valueEnd - span.valueStart) : null;
  if (tooLarge) return tooLarge;
  const tenantId = readTenantId(value('tenant_id'), '/tenant_id', context, faults);
  const type = readType(value('type'), '/type', faults);
  const payload = readPayload(body, found, value, faults);
  const event = {
    tenantId,
    type,
    ...payload,
    labels: readLabels(value('labels'), '/labels', faults),
    occurredAt: readTimestamp(value('timestamp'), value('occurred_at'), faults),
    deliverAtMs: readDeliverAt(value('deliver_at'), '/deliver_at', context, faults),
    clientEventId: readClientEventId(value('event_id'), '/event_id', faults),
  };
  return faults.length > 0 ? invalidRequest(faults) : (payloadTooLarge(payload.payload.length) ?? event);
}

function findFields(body: Buffer, members: readonly Member[], faults: Fault[]): Found {
  const found: Found = {};
  for (const member of members) {
    const key = readMemberKey(body, member);
    const field = FIELDS.find((each) => each === key);
    if (field) found[field] = member;
    else faults.push({ pointer: pointerTo(key), detail: 'is not a known field' });
  }
  return found;
}

export const readValue = (body: Buffer, member: Member): unknown =>
  JSON.parse(body.toString('utf8', member.valueStart, member.valueEnd));

const PAYLOADS = ['payload', 'payload_text', 'payload_base64'] as const;
const READ_TEXT = { payload_text: textPayload, payload_base64: base64Payload };

function readPayload(body: Buffer, found: Found, value: (field: Field) => unknown, faults: Fault[]): Payload {
  const contentType = readContentType(value('content_type'), '/content_type', faults);
  const [field, ...further] = PAYLOADS.filter((each) => found[each] !== undefined);
  for (const each of further) {
    faults.push({ pointer: `/${each}`, detail: `says the same as ${field}: give one of them` });
  }
  if (field === undefined) {
    faults.push({ pointer: '/payload', detail: 'is required' });
    return NO_PAYLOAD;
  }
  const place = { pointer: `/${field}`, contentTypePointer: '/content_type' };
  if (field !== 'payload') return READ_TEXT[field](value(field), contentType, place, faults);
  const { valueStart, valueEnd } = found.payload!;
  return jsonPayload(body.subarray(valueStart, valueEnd), contentType, place, faults);
}

function readTimestamp(timestamp: unknown, occurredAt: unknown, faults: Fault[]): string | null {
  if (timestamp !== undefined && occurredAt !== undefined) {
    faults.push({ pointer: '/timestamp', detail: 'says the same as occurred_at: give one of them' });
  }
  const first = readOccurredAt(timestamp, '/timestamp', faults);
  const second = readOccurredAt(occurredAt, '/occurred_at', faults);
  return second ?? first;
}
