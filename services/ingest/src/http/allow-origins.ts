import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from './app.ts';

/** What pages of another origin may send and read. No cookie ever says who asks, so credentials are not spoken of. */
const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const SENT = 'authorization, content-type, if-match, idempotency-key, x-actor';
const READ = 'etag, location, retry-after, x-request-id';
const PREFLIGHT_MAX_AGE_S = '600';

/** @throws Error naming what is no origin. */
export function parseOrigins(text: string): readonly string[] {
  const given = text.split(',').map((part) => part.trim());
  const origins = given.filter((origin) => origin !== '');
  for (const origin of origins) {
    const isOrigin =
      /^https?:[^*]+$/.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin;
    if (!isOrigin) throw new Error(`"${origin}" is none`);
  }
  return Object.freeze(origins);
}

/**
 * Lets pages of these origins, and no others, call the API from a browser (a portal with a token). Without any no answer
 * says a word of CORS, which forbids it to all.
 */
export function allowOrigins(
  app: App,
  { allowedOrigins = [] }: { allowedOrigins?: readonly string[] },
): void {
  if (allowedOrigins.length === 0) return;
  const allowed = new Set(allowedOrigins);
  app.addHook('onRequest', (request, reply, done) => {
    // A cache must not give the answer for one origin to another.
    reply.header('vary', 'origin');
    const { origin } = request.headers;
    if (origin === undefined || !allowed.has(origin)) return done();
    reply.header('access-control-allow-origin', origin);
    if (isPreflight(request)) answerPreflight(reply);
    else {
      reply.header('access-control-expose-headers', READ);
      done();
    }
  });
}

const isPreflight = ({ method, headers }: FastifyRequest): boolean =>
  method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;

function answerPreflight(reply: FastifyReply): void {
  void reply
    .headers({
      'access-control-allow-methods': METHODS,
      'access-control-allow-headers': SENT,
      'access-control-max-age': PREFLIGHT_MAX_AGE_S,
    })
    .code(204)
    .send();
}
