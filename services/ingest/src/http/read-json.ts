import { isUtf8 } from 'node:buffer';
import { type Member, type ScanFault, scanDocument } from '../accept/payload-span.ts';
import { invalidRequest, isProblem, type Problem, ProblemError, problem } from './problem.ts';

/** Objects and arrays inside one another, the outermost counted. */
export const MAX_JSON_DEPTH = 64;

export const NOT_AN_OBJECT = invalidRequest([{ pointer: '', detail: 'must be an object' }]);

export interface JsonObject {
  readonly kind: 'object';
  readonly members: readonly Member[];
}

/**
 * Holds a body to being UTF-8 without a byte order mark, JSON, and no deeper than allowed; says at which byte it is
 * not. Null is a document that is no object.
 */
export function checkJson(body: Buffer): JsonObject | null | Problem {
  const refused = holdUtf8(body);
  if (refused) return refused;
  const scan = scanDocument(body, MAX_JSON_DEPTH);
  switch (scan.kind) {
    case 'object':
      return scan;
    case 'not_object':
      return null;
    default:
      return scanProblem(body, scan, MAX_JSON_DEPTH);
  }
}

/** Null for UTF-8 without a byte order mark. */
export function holdUtf8(body: Buffer): Problem | null {
  if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) {
    return problem('invalid_json', 'the body starts with a byte order mark (byte 0)');
  }
  if (isUtf8(body)) return null;
  return problem('invalid_json', `the body is not UTF-8 (byte ${firstBadByte(body)})`);
}

export function scanProblem(body: Buffer, { kind, at }: ScanFault, maxDepth: number): Problem {
  switch (kind) {
    case 'too_deep':
      return problem('json_too_deep', `more than ${maxDepth} levels (byte ${at})`);
    case 'invalid':
      return problem('invalid_json', at < body.length ? unexpected(body, at) : endsEarly(body));
    default:
      return kind satisfies never;
  }
}

function unexpected(body: Buffer, at: number): string {
  const byte = body[at]!;
  const shown = byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `0x${byte.toString(16)}`;
  return `unexpected ${JSON.stringify(shown)} at byte ${at}`;
}

const endsEarly = (body: Buffer): string =>
  body.length === 0 ? 'the body is empty' : `the body ends too early, at byte ${body.length}`;

/** Decoding puts U+FFFD in place of what is no UTF-8, so the first byte that changes by it is at or in the fault. */
function firstBadByte(body: Buffer): number {
  const mended = Buffer.from(body.toString('utf8'));
  let at = 0;
  while (at < body.length && body[at] === mended[at]) at += 1;
  return at;
}

/** The body parser of all routes but `POST /events`: null for an empty body, else an object. @throws ProblemError */
export async function readJsonBody(_request: unknown, body: Buffer): Promise<object | null> {
  if (body.length === 0) return null;
  const document = checkJson(body);
  if (document === null) throw new ProblemError(NOT_AN_OBJECT);
  if (isProblem(document)) throw new ProblemError(document);
  return JSON.parse(body.toString('utf8'));
}
