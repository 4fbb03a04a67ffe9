import type { FastifyReply } from 'fastify';
import type { App } from './app.ts';

/**
 * What every answer carries, whoever gives it: it is JSON for its caller alone. No browser guesses another type, runs or
 * frames it, hands it to a page of another origin, or keeps it. HTTPS ends in front of us, and so does what says of it
 * (`Strict-Transport-Security`).
 */
export const ANSWER_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
} as const;

/** The same, as lines of an answer that is written to a bare socket. */
export const ANSWER_HEADER_LINES = Object.entries(ANSWER_HEADERS)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');

/** The id is ours, whatever the caller sent as one: it stands in the log line of the request. */
export const nameAnswer = (reply: FastifyReply): FastifyReply =>
  reply.headers(ANSWER_HEADERS).header('x-request-id', reply.request.id);

export function nameAnswers(app: App): void {
  app.addHook('onRequest', (_request, reply, done) => {
    nameAnswer(reply);
    done();
  });
}
