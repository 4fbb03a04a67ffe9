import {
  isClientEventId,
  isContentType,
  isEventType,
  isLabelKey,
  isLabelValue,
  isTenantId,
  type Labels,
  MAX_CLIENT_EVENT_ID_CHARS,
  MAX_CONTENT_TYPE_CHARS,
  MAX_EVENT_TYPE_CHARS,
  MAX_LABEL_KEY_CHARS,
  MAX_LABEL_VALUE_CHARS,
  MAX_LABELS,
  normaliseTime,
  TIME_RULE,
} from '@posthorn/contracts';
import type { Fault } from '../http/problem.ts';
import { pointerTo } from '../http/validation.ts';

/** What the reading of an event needs beside its bytes. */
export interface ReadContext {
  readonly nowMs: number;
  /** The tenant of the key that posts it: meant where the event names none. Null for an operator's. */
  readonly tenantId: string | null;
}

/** Takes the value of one field, `undefined` when it is left out; a value that breaks its rule becomes a fault. */
export type FieldReader<T> = (value: unknown, pointer: string, faults: Fault[]) => T;

export const NO_LABELS: Labels = Object.freeze({});
export const TENANT_ID_RULE = 'must be 1–64 of letters, digits, "_" and "-", the first a letter or digit';
const EVENT_TYPE_RULE = `must be 1–8 parts of a–z, 0–9, "_" and "-", joined by ".", ${MAX_EVENT_TYPE_CHARS} characters at most`;
const CONTENT_TYPE_RULE = `must be a media type such as text/plain, ${MAX_CONTENT_TYPE_CHARS} characters at most`;
const CLIENT_EVENT_ID_RULE = `must be 1–${MAX_CLIENT_EVENT_ID_CHARS} characters without control characters`;

/** A text that obeys its rule, else a fault and the empty text. */
function textOf(valid: (text: string) => boolean, rule: string): FieldReader<string> {
  return (value, pointer, faults) => {
    if (typeof value === 'string' && valid(value)) return value;
    const detail =
      value === undefined ? 'is required' : typeof value === 'string' ? rule : 'must be a string';
    faults.push({ pointer, detail });
    return '';
  };
}

const givenTenantId = textOf(isTenantId, TENANT_ID_RULE);
export const readType = textOf(isEventType, EVENT_TYPE_RULE);
const givenContentType = textOf(isContentType, CONTENT_TYPE_RULE);
const givenClientEventId = textOf(isClientEventId, CLIENT_EVENT_ID_RULE);

export function readTenantId(
  value: unknown,
  pointer: string,
  { tenantId }: ReadContext,
  faults: Fault[],
): string {
  return value === undefined && tenantId !== null ? tenantId : givenTenantId(value, pointer, faults);
}

export const readContentType: FieldReader<string | null> = (value, pointer, faults) =>
  value === undefined ? null : givenContentType(value, pointer, faults);

export const readClientEventId: FieldReader<string | null> = (value, pointer, faults) =>
  value === undefined ? null : givenClientEventId(value, pointer, faults);

export const readLabels: FieldReader<Labels> = (value, pointer, faults) => {
  if (value === undefined) return NO_LABELS;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    faults.push({ pointer, detail: 'must be an object of strings' });
    return NO_LABELS;
  }
  const entries = Object.entries(value);
  if (entries.length > MAX_LABELS) {
    faults.push({ pointer, detail: TOO_MANY_LABELS });
    return NO_LABELS;
  }
  for (const [key, label] of entries) {
    const fault = labelFault(key, label);
    if (fault) faults.push({ pointer: `${pointer}${pointerTo(key)}`, detail: fault });
  }
  return value as Labels;
};

export const TOO_MANY_LABELS = `must have at most ${MAX_LABELS} members`;
const LABEL_KEY_RULE = `must be named by 1–${MAX_LABEL_KEY_CHARS} of letters, digits, "_", ".", "/" and "-", the first a letter, digit or "_"`;
const LABEL_VALUE_RULE = `must be a string of at most ${MAX_LABEL_VALUE_CHARS} characters without control characters`;

/** What is wrong with one label, null when nothing is. */
export function labelFault(key: string, value: unknown): string | null {
  if (!isLabelKey(key)) return LABEL_KEY_RULE;
  return isLabelValue(value) ? null : LABEL_VALUE_RULE;
}

export const readOccurredAt: FieldReader<string | null> = (value, pointer, faults) => {
  if (value === undefined) return null;
  const time = normaliseTime(value);
  if (time === null) faults.push({ pointer, detail: TIME_RULE });
  return time;
};

/** As long as every topic that it may wait in keeps records. */
export const MAX_DELIVER_AHEAD_MS = 7 * 24 * 3_600_000;

/** Unix milliseconds; null for at once. */
export function readDeliverAt(
  value: unknown,
  pointer: string,
  { nowMs }: ReadContext,
  faults: Fault[],
): number | null {
  if (value === undefined) return null;
  const time = normaliseTime(value);
  if (time === null) {
    faults.push({ pointer, detail: TIME_RULE });
    return null;
  }
  const atMs = Date.parse(time);
  if (atMs > nowMs + MAX_DELIVER_AHEAD_MS) {
    const latest = new Date(nowMs + MAX_DELIVER_AHEAD_MS).toISOString();
    const detail = `is ${time}, more than 7 days ahead: send ${latest} or earlier, or post the event later`;
    faults.push({ pointer, detail });
  }
  return atMs > nowMs ? atMs : null;
}
