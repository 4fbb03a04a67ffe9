import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError } from 'fastify';
import { TooManyQuestionsError } from '../question-gate.ts';
import { isConnectionLost, isDatabaseAway } from '../store.ts';
import { ANSWER_HEADER_LINES, ANSWER_HEADERS } from './answer-headers.ts';
import type { App, AppParts } from './app.ts';
import {
  PROBLEM_TYPE,
  PROBLEMS,
  type Problem,
  ProblemError,
  problem,
  renderProblem,
  retryAfter,
  sendProblem,
} from './problem.ts';

/** Every answer that no handler gave: unknown paths and methods, refused bodies, a database that is away, bugs. */
export function answerErrors(app: App, parts: Pick<AppParts, 'log' | 'reportDatabaseDown'>): void {
  const routes: { pattern: RegExp; method: string }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const pattern = new RegExp(`^${url.replace(/:[a-z_]+/g, '[^/]+')}$`);
    for (const each of [method].flat()) routes.push({ pattern, method: each });
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]!;
    const allowed = new Set(routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method));
    if (allowed.size === 0)
      return sendProblem(reply, problem('route_not_found', 'every operation is listed at /docs'));
    const allow = [...allowed].join(', ');
    const detail = `this path takes ${allow}`;
    return sendProblem(reply, problem('method_not_allowed', detail, { headers: { allow } }));
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof ProblemError) return sendProblem(reply, error.problem);
    const refused = refusedByFastify(error);
    if (refused) return sendProblem(reply, refused);
    const context = { err: error, request_id: request.id, route: request.routeOptions.url };
    if (error instanceof TooManyQuestionsError)
      return sendProblem(reply, problem('overloaded', 'try again', retryAfter(1)));
    if (isDatabaseAway(error)) {
      if (isConnectionLost(error)) parts.reportDatabaseDown();
      parts.log.warn(context, 'database did not answer a request');
      return sendProblem(reply, problem('database_unavailable', 'try again', retryAfter(1)));
    }
    parts.log.error(context, 'request failed');
    return sendProblem(reply, problem('internal', 'tell us the request_id'));
  });
}

function refusedByFastify(error: FastifyError): Problem | null {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return problem('payload_too_large', 'the body is larger than this path takes');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return problem('unsupported_media_type', 'send content-type: application/json');
    default: {
      const isClients = error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500;
      return isClients ? problem('malformed_request', error.message.slice(0, 200)) : null;
    }
  }
}

/** Node answers an expectation that it does not know without a word. */
export function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const found = problem('malformed_request', 'the only expectation that is met is 100-continue');
  const headers = { ...ANSWER_HEADERS, 'content-type': PROBLEM_TYPE, connection: 'close' };
  response.writeHead(PROBLEMS[found.code].status, headers);
  response.end(renderProblem(found, 'none'));
}

/** Node's parser gave up on the connection: there is no request to answer through, only a socket. */
export function answerUnparsable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const found = unparsable(error.code);
  const body = renderProblem(found, 'none');
  socket.end(
    `HTTP/1.1 ${PROBLEMS[found.code].status} ${found.code}\r\n${ANSWER_HEADER_LINES}content-type: ${PROBLEM_TYPE}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function unparsable(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') return problem('headers_too_large', 'send fewer or shorter headers');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return problem('request_timeout', 'send the request faster');
  return problem('malformed_request', 'this is not HTTP/1.1');
}
