import type { IncomingMessage } from 'node:http';
import { type Problem, problem } from '../../http/problem.ts';

export const MAX_IDEMPOTENCY_KEY_CHARS = 255;
const PRINTABLE_ASCII = /^[\x20-\x7e]+$/;

/**
 * The `Idempotency-Key` of a request, null without one; compared as it stands, quotes included
 * (draft-ietf-httpapi-idempotency-key-header-07 puts it in quotes, most senders do not).
 */
export function readIdempotencyKey(request: IncomingMessage): string | null | Problem {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  // Joined with a comma, two of them would look like one.
  if (request.rawHeaders.filter(isItsName).length > 1) return refused('was sent more than once');
  if (key.length === 0 || key.length > MAX_IDEMPOTENCY_KEY_CHARS || !PRINTABLE_ASCII.test(key as string))
    return refused(`must be 1–${MAX_IDEMPOTENCY_KEY_CHARS} printable ASCII characters`);
  return key as string;
}

/** Of an array of names and values in turn. */
const isItsName = (text: string, i: number): boolean =>
  i % 2 === 0 && text.toLowerCase() === 'idempotency-key';

const refused = (rule: string): Problem =>
  problem('invalid_idempotency_key', `the Idempotency-Key header ${rule}`);

export const keyOnBatch: Problem = problem(
  'invalid_idempotency_key',
  'a batch takes no Idempotency-Key: give each of its events an event_id of your own, which does the same for it alone',
);
