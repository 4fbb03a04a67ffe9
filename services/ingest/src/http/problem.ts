import type { FastifyReply } from 'fastify';

import { PROBLEMS, type ProblemCode } from './problem-catalogue.ts';

export { PROBLEMS, type ProblemCode };

/** One fault of a request: where (RFC 6901 pointer into the body, or `?name` for a query parameter) and what. */
export interface Fault {
  readonly pointer: string;
  readonly detail: string;
}

export interface Problem {
  readonly kind: 'problem';
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors?: readonly Fault[];
  /** Members of their own that the code documents, such as `limit`. */
  readonly members?: Readonly<Record<string, string | number>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Faults listed in one answer; a request that has more is told so in the detail. */
export const MAX_FAULTS = 100;

export function problem(
  code: ProblemCode,
  detail: string,
  more: Pick<Problem, 'errors' | 'members' | 'headers'> = {},
): Problem {
  return { kind: 'problem', code, detail, ...more };
}

export function invalidRequest(faults: readonly Fault[]): Problem {
  const listed = faults.slice(0, MAX_FAULTS);
  const detail =
    faults.length > listed.length
      ? `${faults.length} faults, the first ${MAX_FAULTS} are listed`
      : `${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}`;
  return problem('invalid_request', detail, { errors: listed });
}

/** Of an id that anybody may have sent: it is shown cut. */
const MAX_SHOWN_ID_CHARS = 64;

/** `what` is a noun (`plan`); `or` says why else it may be absent. */
export function notFound(code: ProblemCode, what: string, id: string, or = ''): Problem {
  return problem(code, `there is no ${what} ${JSON.stringify(id.slice(0, MAX_SHOWN_ID_CHARS))}${or}`);
}

export const retryAfter = (seconds: number): Pick<Problem, 'headers'> => ({
  headers: { 'retry-after': String(seconds) },
});

export const isProblem = (value: object): value is Problem =>
  (value as { kind?: unknown }).kind === 'problem';

export const PROBLEM_TYPE = 'application/problem+json';

export function renderProblem(found: Problem, requestId: string): string {
  const { status, title } = PROBLEMS[found.code];
  return JSON.stringify({
    type: `urn:posthorn:problem:${found.code}`,
    title,
    status,
    code: found.code,
    detail: found.detail,
    ...found.members,
    ...(found.errors ? { errors: found.errors } : {}),
    request_id: requestId,
  });
}

export function sendProblem(reply: FastifyReply, found: Problem): FastifyReply {
  reply.request.problemCode = found.code;
  reply.code(PROBLEMS[found.code].status).type(PROBLEM_TYPE);
  if (found.headers) reply.headers(found.headers);
  return reply.serializer(asItIs).send(renderProblem(found, reply.request.id));
}

const asItIs = (text: unknown): string => text as string;

/** Carries a problem out of places that can only throw: body parsers and validators. */
export class ProblemError extends Error {
  override name = 'ProblemError';
  readonly problem: Problem;
  constructor(found: Problem) {
    super(found.detail);
    this.problem = found;
  }
}
