import type { FailureClass, Outcome } from '@posthorn/contracts';
import type { FailedSend, SendFailure } from '@posthorn/egress';
import type { Sent } from './send.ts';

/** A request that was made, or could not be. */
export type Answered = Exclude<Sent, { kind: 'withheld' }>;

/** What a receiver can make us wait by Retry-After, at most. */
export const MAX_RETRY_AFTER_MS = 3_600_000;

/** Whether a receiver did not take what says who sends. */
export const refusesSender = (status: number): boolean => status === 401;

/** What came of a request: the one place where outcomes are told apart. */
export function classify(sent: Answered, nowMs: number): Outcome {
  if (sent.kind === 'failure') return classifyFailedSend(sent);
  if (sent.kind === 'invalid') return failed('invalid_endpoint', null, sent.detail);
  if (sent.kind === 'unauthorised') return failed('auth', null, sent.detail);
  const { status } = sent;
  if (status >= 200 && status < 300) return { kind: 'success', status };
  const failure = failureOfStatus(status);
  const retryAfterMs = status === 429 || status === 503 ? parseRetryAfter(sent.retryAfter, nowMs) : null;
  return failed(failure, status, `HTTP ${status}`, retryAfterMs);
}

function failed(
  failure: FailureClass,
  status: number | null,
  detail: string,
  retryAfterMs: number | null = null,
): Outcome {
  return { kind: 'failure', failure, status, detail, retryAfterMs };
}

function failureOfStatus(status: number): FailureClass {
  if (status === 410) return 'gone';
  if (status === 429) return 'rate_limited';
  if (status >= 300 && status < 400) return 'redirect';
  if (status >= 400 && status < 500) return 'http_4xx';
  if (status >= 500 && status < 600) return 'http_5xx';
  return 'protocol';
}

/** A blocked address reads like a refused connection: whether something listens there is nothing a tenant may learn. */
const CLASS_OF_SEND_FAILURE: Readonly<Record<SendFailure, FailureClass>> = {
  timeout: 'timeout',
  dns: 'dns',
  connect: 'connect',
  tls: 'tls',
  protocol: 'protocol',
  response_too_large: 'response_too_large',
  blocked: 'connect',
};

function classifyFailedSend(sent: FailedSend): Outcome {
  return failed(CLASS_OF_SEND_FAILURE[sent.failure], sent.status ?? null, sent.detail);
}

/** RFC 9110 §10.2.3: seconds or an HTTP date; null for anything else, and for a moment that has passed. */
export function parseRetryAfter(text: string | undefined, nowMs: number): number | null {
  if (text === undefined) return null;
  const waitMs = /^\d{1,10}$/.test(text) ? Number(text) * 1_000 : untilHttpDate(text, nowMs);
  return waitMs > 0 ? Math.min(waitMs, MAX_RETRY_AFTER_MS) : null;
}

/** RFC 9110 §5.6.7: the form of today, and the two that recipients must still take. */
const HTTP_DATES = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

function untilHttpDate(text: string, nowMs: number): number {
  if (!HTTP_DATES.some((form) => form.test(text))) return 0;
  const dueMs = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(dueMs) ? 0 : dueMs - nowMs;
}
