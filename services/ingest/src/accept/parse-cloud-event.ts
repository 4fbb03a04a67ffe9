import { isJsonType } from '@posthorn/contracts';
import { type Fault, invalidRequest, isProblem, type Problem } from '../http/problem.ts';
import { checkJson, NOT_AN_OBJECT } from '../http/read-json.ts';
import type { ReadContext } from './check-fields.ts';
import { type Attributes, readAttributes } from './cloud-attributes.ts';
import { readValue } from './parse-event.ts';
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

/** Reads a CloudEvent in structured mode (CloudEvents 1.0.2, JSON event format §3): its data is a span of the body. */
export function parseCloudEvent(body: Buffer, context: ReadContext): PostedEvent | Problem {
  const document = checkJson(body);
  if (document === null) return NOT_AN_OBJECT;
  if (isProblem(document)) return document;
  if (document.members.length > MAX_ATTRIBUTES) return TOO_MANY_ATTRIBUTES;
  const faults: Fault[] = [];
  const members = new Map(document.members.map((member) => [readMemberKey(body, member), member]));
  const data = members.get('data');
  const tooLarge = data ? payloadTooLarge(data.valueEnd - data.valueStart) : null;
  if (tooLarge) return tooLarge;
  const given: Attributes = new Map();
  for (const [name, member] of members) {
    // An attribute that is null is one that is not set (§2.2).
    if (!DATA.has(name)) given.set(name, readValue(body, member) ?? undefined);
  }
  const { contentType, ...envelope } = readAttributes(given, 'json', context, faults);
  const payload = readData(body, members, contentType, faults);
  const event = { ...envelope, ...payload };
  return faults.length > 0 ? invalidRequest(faults) : (payloadTooLarge(payload.payload.length) ?? event);
}

/** More than there can be labels and attributes that we know; ten thousand would each be a fault of its own. */
const MAX_ATTRIBUTES = 64;
const TOO_MANY_ATTRIBUTES = invalidRequest([
  { pointer: '', detail: `must have at most ${MAX_ATTRIBUTES} attributes` },
]);

const DATA = new Set(['data', 'data_base64']);

function readData(
  body: Buffer,
  members: ReadonlyMap<string, Member>,
  contentType: string | null,
  faults: Fault[],
): Payload {
  const data = members.get('data');
  const encoded = members.get('data_base64');
  if (data && encoded) {
    faults.push({ pointer: '/data_base64', detail: 'says the same as data: give one of them' });
    return NO_PAYLOAD;
  }
  const place = { pointer: data ? '/data' : '/data_base64', contentTypePointer: '/datacontenttype' };
  if (encoded) return base64Payload(readValue(body, encoded), contentType, place, faults);
  if (!data) return NO_PAYLOAD;
  if (contentType && !isJsonType(contentType)) {
    return textPayload(readValue(body, data), contentType, place, faults);
  }
  return jsonPayload(body.subarray(data.valueStart, data.valueEnd), contentType, place, faults);
}
