import type { PostedEvent } from '../src/accept/posted-event.ts';
import { readEvent } from '../src/accept/read-event.ts';
import { isProblem } from '../src/http/problem.ts';

export const context = { nowMs: Date.UTC(2026, 0, 1), tenantId: 'acme' };
export const JSON_BODY = { 'content-type': 'application/json' };
export const STRUCTURED = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
export const BINARY = { 'ce-specversion': '1.0', 'ce-type': 'a', 'ce-source': '/s', 'ce-id': '1' };
export const ATTRIBUTES = '"specversion":"1.0","type":"a","source":"/s","id":"1"';

export function read(body: string | Buffer, headers: Record<string, string> = JSON_BODY): PostedEvent {
  const event = readEvent(headers, Buffer.from(body), context);
  if (isProblem(event)) throw new Error(JSON.stringify(event));
  return event;
}

/** Each with its place; of a refusal that names none, its code. */
export function faultsOf(body: string | object, headers: Record<string, string> = JSON_BODY): string[] {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const refused = readEvent(headers, Buffer.from(text), context);
  if (!isProblem(refused)) throw new Error('was taken');
  return refused.errors?.map(({ pointer, detail }) => `${pointer} ${detail}`) ?? [refused.code];
}
