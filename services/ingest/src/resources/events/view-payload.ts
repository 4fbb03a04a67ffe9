import { isUtf8 } from 'node:buffer';
import { isJsonType } from '@posthorn/contracts';
import { isProblem } from '../../http/problem.ts';
import { checkJson } from '../../http/read-json.ts';

/**
 * The member of a JSON answer that shows a payload: `"payload":` and its own bytes where they are JSON, so that a number
 * that JavaScript cannot hold stays what it was; else `"payload_text":`, or `"payload_base64":` for what is no text.
 */
export function payloadMember(contentType: string, payload: Buffer): string {
  if (isJsonType(contentType) && isJson(payload)) return `"payload":${payload.toString('utf8')}`;
  if (isUtf8(payload)) return `"payload_text":${JSON.stringify(payload.toString('utf8'))}`;
  return `"payload_base64":"${payload.toString('base64')}"`;
}

/** What came straight from Kafka was never held to its content type. */
function isJson(payload: Buffer): boolean {
  const document = checkJson(payload);
  return document === null || !isProblem(document);
}
