import {
  isEventType,
  isLabelKey,
  isTenantId,
  type Labels,
  MAX_EVENT_BYTES,
  MAX_EVENT_TYPE_CHARS,
  MAX_LABEL_KEY_CHARS,
  MAX_LABEL_VALUE_CHARS,
  MAX_LABELS,
} from '@posthorn/contracts';
import { type Fault, invalidRequest, isProblem, type Problem, problem } from '../http/problem.ts';
import { checkJson, NOT_AN_OBJECT } from '../http/read-json.ts';
import { normaliseTime, TIME_RULE } from '../http/read-time.ts';
import { pointerTo } from '../http/validation.ts';
import { type Member, readMemberKey } from './payload-span.ts';
import { JSON_CONTENT_TYPE, type PostedEvent } from './posted-event.ts';

const FIELDS = ['tenant_id', 'type', 'payload', 'labels', 'timestamp', 'occurred_at', 'deliver_at'] as const;
type Field = (typeof FIELDS)[number];
type Found = Partial<Record<Field, Member>>;

const NO_LABELS: Labels = Object.freeze({});

/** Room beside the payload for the rest of the envelope: ids, labels with every character escaped, spacing. */
export const ENVELOPE_BYTES = 64 * 1024;
export const MAX_EVENT_REQUEST_BYTES = MAX_EVENT_BYTES + ENVELOPE_BYTES;

/**
 * Reads the envelope of `POST /events` by hand: only its small members are parsed, the payload is a span of the body,
 * and every fault is listed. Of a member that comes twice the last one counts, as in JSON.parse.
 */
export function parseEvent(body: Buffer, nowMs: number): PostedEvent | Problem {
  const document = checkJson(body);
  if (document === null) return NOT_AN_OBJECT;
  if (isProblem(document)) return document;
  const faults: Fault[] = [];
  const found = findFields(body, document.members, faults);
  const payload = found.payload;
  if (payload && payload.valueEnd - payload.valueStart > MAX_EVENT_BYTES) {
    const bytes = payload.valueEnd - payload.valueStart;
    return problem('payload_too_large', `the payload has ${bytes} bytes, ${MAX_EVENT_BYTES} are allowed`);
  }
  const event = {
    tenantId: readText(body, found, 'tenant_id', isTenantId, TENANT_ID_RULE, faults),
    type: readText(body, found, 'type', isEventType, EVENT_TYPE_RULE, faults),
    payload: payload ? body.subarray(payload.valueStart, payload.valueEnd) : missing('payload', faults),
    contentType: JSON_CONTENT_TYPE,
    clientEventId: null,
    labels: found.labels ? readLabels(readValue(body, found.labels), faults) : NO_LABELS,
    occurredAt: readOccurredAt(body, found, faults),
    deliverAtMs: readDeliverAt(body, found, nowMs, faults),
  };
  return faults.length > 0 ? invalidRequest(faults) : event;
}

export const TENANT_ID_RULE = 'must be 1–64 of letters, digits, "_" and "-", the first a letter or digit';
const EVENT_TYPE_RULE = `must be 1–8 parts of a–z, 0–9, "_" and "-", joined by ".", ${MAX_EVENT_TYPE_CHARS} characters at most`;
const NO_BYTES = Buffer.alloc(0);

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

const readValue = (body: Buffer, member: Member): unknown =>
  JSON.parse(body.toString('utf8', member.valueStart, member.valueEnd));

function missing(field: Field, faults: Fault[]): Buffer {
  faults.push({ pointer: `/${field}`, detail: 'is required' });
  return NO_BYTES;
}

function readText(
  body: Buffer,
  found: Found,
  field: Field,
  valid: (text: string) => boolean,
  rule: string,
  faults: Fault[],
): string {
  const member = found[field];
  if (!member) {
    missing(field, faults);
    return '';
  }
  const value = readValue(body, member);
  if (typeof value === 'string' && valid(value)) return value;
  faults.push({ pointer: `/${field}`, detail: typeof value === 'string' ? rule : 'must be a string' });
  return '';
}

function readLabels(value: unknown, faults: Fault[]): Labels {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    faults.push({ pointer: '/labels', detail: 'must be an object of strings' });
    return NO_LABELS;
  }
  const entries = Object.entries(value);
  if (entries.length > MAX_LABELS)
    faults.push({ pointer: '/labels', detail: `must have at most ${MAX_LABELS} members` });
  for (const [key, label] of entries) {
    const fault = labelFault(key, label);
    if (fault) faults.push({ pointer: pointerTo('labels', key), detail: fault });
  }
  return value as Labels;
}

const LABEL_KEY_RULE = `must be named by 1–${MAX_LABEL_KEY_CHARS} of letters, digits, "_", ".", "/" and "-", the first a letter, digit or "_"`;
const LABEL_VALUE_RULE = `must be a string of at most ${MAX_LABEL_VALUE_CHARS} characters without control characters`;

/** What is wrong with one label, null when nothing is. */
export function labelFault(key: string, value: unknown): string | null {
  if (!isLabelKey(key)) return LABEL_KEY_RULE;
  if (typeof value !== 'string' || value.length > MAX_LABEL_VALUE_CHARS || !isPlainText(value))
    return LABEL_VALUE_RULE;
  return null;
}

/** Text that every store and header can carry: no control characters, no half of a surrogate pair. */
export const isPlainText = (text: string): boolean =>
  !/[\u0000-\u001f\u007f-\u009f]/.test(text) && text.isWellFormed();

function readOccurredAt(body: Buffer, found: Found, faults: Fault[]): string | null {
  if (found.timestamp && found.occurred_at) {
    faults.push({ pointer: '/timestamp', detail: 'says the same as occurred_at: give one of them' });
  }
  let read: string | null = null;
  for (const field of ['timestamp', 'occurred_at'] as const) {
    const member = found[field];
    if (!member) continue;
    read = normaliseTime(readValue(body, member));
    if (read === null) faults.push({ pointer: `/${field}`, detail: TIME_RULE });
  }
  return read;
}

/** As long as every topic that it may wait in keeps records. */
export const MAX_DELIVER_AHEAD_MS = 7 * 24 * 3_600_000;

function readDeliverAt(body: Buffer, found: Found, nowMs: number, faults: Fault[]): number | null {
  if (!found.deliver_at) return null;
  const value = readValue(body, found.deliver_at);
  const time = normaliseTime(value);
  if (time === null) {
    faults.push({ pointer: '/deliver_at', detail: TIME_RULE });
    return null;
  }
  const atMs = Date.parse(time);
  if (atMs > nowMs + MAX_DELIVER_AHEAD_MS) {
    const latest = new Date(nowMs + MAX_DELIVER_AHEAD_MS).toISOString();
    const detail = `is ${time}, more than 7 days ahead: send ${latest} or earlier, or post the event later`;
    faults.push({ pointer: '/deliver_at', detail });
  }
  return atMs > nowMs ? atMs : null;
}
