import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App, AppParts } from './app.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The code of the problem that it was answered with. */
    problemCode: string | null;
  }
}

/**
 * Counts every request, and leaves one log line of each: what changes something tells about it in words of its own
 * (`webhook created`), all else is told here.
 */
export function observeRequests(
  app: App,
  { ingestMetrics, log }: Pick<AppParts, 'ingestMetrics' | 'log'>,
): void {
  app.decorateRequest('problemCode', null);
  app.addHook('onResponse', (request, reply, done) => {
    const route = routeOf(request);
    ingestMetrics.observeRequest(route, reply.statusCode, reply.elapsedTime);
    if (!tellsItself(request, reply)) log.info(lineOf(request, reply, route), 'request answered');
    done();
  });
}

const routeOf = ({ method, routeOptions: { url } }: FastifyRequest): string =>
  url === undefined ? 'unmatched' : `${method} ${url.replace(/^\/v1\//, '/')}`;

const READS = new Set(['GET', 'HEAD']);
/** A fault of ours is logged with its stack where it is caught. */
const FAULT = 500;

const tellsItself = ({ method, problemCode }: FastifyRequest, { statusCode }: FastifyReply): boolean =>
  statusCode === FAULT || (problemCode === null && statusCode < 400 && !READS.has(method));

export const lineOf = (request: FastifyRequest, reply: FastifyReply, route: string) => ({
  route,
  status: reply.statusCode,
  ...(request.problemCode === null ? {} : { code: request.problemCode }),
  duration_ms: Math.round(reply.elapsedTime * 10) / 10,
  request_id: request.id,
  ...(request.caller ? { key_id: request.caller.keyId } : {}),
});
