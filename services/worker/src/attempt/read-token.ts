import type { SendResult, SentResponse } from '@posthorn/egress';
import { parseRetryAfter } from './classify.ts';

export type TokenReply =
  | { readonly kind: 'granted'; readonly authorization: string; readonly lifetimeMs: number }
  | {
      readonly kind: 'unreachable' | 'refused' | 'malformed';
      /** May be shown to the tenant: nothing of what the server wrote is in it. */
      readonly detail: string;
      readonly retryAfterMs: number | null;
    };

/** Of a token whose server does not say. */
export const DEFAULT_LIFETIME_MS = 300_000;
export const MAX_LIFETIME_MS = 24 * 3_600_000;
export const MAX_TOKEN_CHARS = 8_192;

export const BEARER = 'Bearer ';

/** What a header can carry and nothing can be hidden in: RFC 6750 has less, but servers give more. */
const TOKEN = /^[\u0021-\u007e]+$/;

/** RFC 6749 section 5.2; what else a server calls its errors is its own text, and is not passed on. */
const ERRORS: ReadonlySet<unknown> = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
]);

/**
 * What a token endpoint answered (RFC 6749 section 5). It is anybody's: the token becomes a header of requests, so
 * whatever could end that header, or is no token, is refused.
 */
export function readTokenReply(sent: SendResult, nowMs: number): TokenReply {
  if (sent.kind === 'withheld') return failed('unreachable', 'the request was not made');
  if (sent.kind === 'failure') return failed('unreachable', sent.detail);
  const { status, truncated } = sent;
  if (status < 200 || status >= 300) return refused(sent, nowMs);
  if (truncated) return failed('malformed', 'the answer is too long');
  const answer = readObject(sent.body);
  if (answer === null) return failed('malformed', 'the answer is no JSON object');
  const { access_token: token, token_type: type = 'Bearer' } = answer;
  if (typeof token !== 'string' || token.length > MAX_TOKEN_CHARS || !TOKEN.test(token))
    return failed('malformed', 'the answer has no access token that a header can carry');
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer')
    return failed('malformed', 'the token is not of the type Bearer');
  return {
    kind: 'granted',
    authorization: BEARER + token,
    lifetimeMs: readLifetime(answer.expires_in),
  };
}

function refused({ status, body, retryAfter }: SentResponse, nowMs: number): TokenReply {
  const error = readObject(body)?.error;
  const detail = ERRORS.has(error) ? `HTTP ${status} (${error})` : `HTTP ${status}`;
  return { kind: 'refused', detail, retryAfterMs: parseRetryAfter(retryAfter, nowMs) };
}

const failed = (kind: 'unreachable' | 'malformed', detail: string): TokenReply => ({
  kind,
  detail,
  retryAfterMs: null,
});

/** Its own members only: of the prototype nothing is an answer. */
function readObject(body: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return Object.assign(Object.create(null), value);
  } catch {
    return null;
  }
}

/** Seconds, which some servers write as text. */
function readLifetime(given: unknown): number {
  const seconds = typeof given === 'string' && /^\d{1,10}$/.test(given) ? Number(given) : given;
  if (typeof seconds !== 'number' || !(seconds >= 0)) return DEFAULT_LIFETIME_MS;
  return Math.min(seconds * 1_000, MAX_LIFETIME_MS);
}
