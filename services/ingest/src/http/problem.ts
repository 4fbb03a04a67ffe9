import type { FastifyReply } from 'fastify';

/**
 * The errors of the API: RFC 9457 problem documents whose `code` is stable. This catalogue is what docs/errors.md
 * explains, entry by entry; a test holds the two together.
 */
export const PROBLEMS = {
  malformed_request: { status: 400, title: 'The request is not well-formed HTTP' },
  invalid_json: { status: 400, title: 'The body is not valid JSON' },
  json_too_deep: { status: 400, title: 'The JSON body is nested too deeply' },
  invalid_request: { status: 400, title: 'The request has faults' },
  idempotency_key_unsupported: { status: 400, title: 'Idempotency keys are not supported yet' },
  unauthenticated: { status: 401, title: 'A valid API key is required' },
  forbidden: { status: 403, title: 'This key may not do that' },
  tenant_reserved: { status: 403, title: 'This tenant is the system’s own' },
  route_not_found: { status: 404, title: 'There is nothing at this path' },
  tenant_not_found: { status: 404, title: 'There is no such tenant' },
  webhook_not_found: { status: 404, title: 'There is no such webhook' },
  event_not_found: { status: 404, title: 'There is no such event' },
  delivery_not_found: { status: 404, title: 'There is no such delivery' },
  job_not_found: { status: 404, title: 'There is no such job' },
  method_not_allowed: { status: 405, title: 'This path does not take this method' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  tenant_exists: { status: 409, title: 'The tenant exists already' },
  webhook_quota_exceeded: { status: 409, title: 'The tenant has as many webhooks as its quota allows' },
  webhook_disabled: { status: 409, title: 'The webhook is disabled' },
  too_many_lanes: { status: 409, title: 'The tenant has more lanes than concurrent deliveries' },
  too_many_jobs: { status: 409, title: 'The tenant has as many unfinished jobs as it may have' },
  too_many_cancellations: {
    status: 409,
    title: 'The tenant has as many cancellations in force as it may have',
  },
  job_finished: { status: 409, title: 'The job is over' },
  not_a_dead_letter: { status: 409, title: 'The delivery is not in the dead letters' },
  payload_expired: { status: 410, title: 'The payload is no longer kept' },
  payload_too_large: { status: 413, title: 'The payload is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  rate_limited: { status: 429, title: 'The tenant sends more events than its quota allows' },
  dlq_quota_exceeded: { status: 429, title: 'The tenant has as many dead letters as its quota allows' },
  headers_too_large: { status: 431, title: 'The request headers are too large' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  not_accepted: { status: 503, title: 'The event was not accepted' },
  outcome_unknown: { status: 503, title: 'It is not known whether the event was accepted' },
  tenant_unavailable: { status: 503, title: 'The configuration of the tenant cannot be had now' },
  change_unconfirmed: {
    status: 503,
    title: 'The change is made, but not yet known to be effective everywhere',
  },
  database_unavailable: { status: 503, title: 'The database cannot be reached' },
  overloaded: { status: 503, title: 'Too many requests are under way' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

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
