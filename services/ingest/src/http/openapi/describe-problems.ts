import Type from 'typebox';
import type { Operation } from '../operation.ts';
import { PROBLEM_TYPE } from '../problem.ts';
import { PROBLEMS, type ProblemCode } from '../problem-catalogue.ts';

/** What any operation may answer, whatever it is about. */
const ALWAYS: readonly ProblemCode[] = ['malformed_request', 'internal', 'overloaded', 'loop_detected'];
const WITH_KEY: readonly ProblemCode[] = ['unauthenticated', 'forbidden', 'database_unavailable'];
const WITH_INPUT: readonly ProblemCode[] = ['invalid_request'];
const WITH_BODY: readonly ProblemCode[] = [
  'invalid_json',
  'json_too_deep',
  'payload_too_large',
  'unsupported_media_type',
];

export interface ProblemResponses {
  /** One response for each status, with the codes that it may carry. */
  of(operation: Operation): Record<string, object>;
  /** What the responses refer to: one for each set of codes that is answered somewhere. */
  readonly responses: Readonly<Record<string, object>>;
}

export function createProblemResponses(): ProblemResponses {
  const responses: Record<string, object> = {};
  function refer(codes: readonly ProblemCode[]): object {
    const name = codes.toSorted().join('.');
    responses[name] ??= responseOf(codes);
    return { $ref: `#/components/responses/${name}` };
  }
  return {
    of(operation) {
      const byStatus = Map.groupBy(codesOf(operation), (code) => PROBLEMS[code].status);
      const sorted = [...byStatus].sort(([a], [b]) => a - b);
      return Object.fromEntries(sorted.map(([status, codes]) => [String(status), refer(codes)]));
    },
    responses,
  };
}

function codesOf(operation: Operation): Set<ProblemCode> {
  const hasInput = operation.querystring ?? operation.body ?? operation.bodies ?? operation.headers;
  // The likely ones first: they are shown in this order.
  return new Set<ProblemCode>([
    ...(hasInput ? WITH_INPUT : []),
    ...(operation.problems ?? []),
    ...(operation.body || operation.bodies ? WITH_BODY : []),
    ...(operation.access === null ? [] : WITH_KEY),
    ...ALWAYS,
  ]);
}

function responseOf(codes: readonly ProblemCode[]): object {
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join('\n\n'),
    content: {
      [PROBLEM_TYPE]: {
        schema: { $ref: '#/components/schemas/Problem' },
        examples: Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }])),
      },
    },
  };
}

/** Members that only some codes have. */
const MEMBERS: Partial<Record<ProblemCode, object>> = {
  invalid_request: { detail: '1 fault', errors: [{ pointer: '/type', detail: 'is required' }] },
  payload_invalid: {
    detail: 'the payload does not fit the schema of order.created, version 1',
    errors: [{ pointer: '/payload/total', detail: 'must be integer' }],
  },
  event_quota_exceeded: { quota: 'max_events_per_sec', limit: 100, remaining: 0, reset: 1 },
  dlq_quota_exceeded: { quota: 'max_dlq_size', limit: 100, count: 100, remaining: 0 },
  webhook_quota_exceeded: { limit: 20 },
};

const exampleOf = (code: ProblemCode): object => ({
  type: `urn:posthorn:problem:${code}`,
  title: PROBLEMS[code].title,
  status: PROBLEMS[code].status,
  code,
  detail: PROBLEMS[code].title,
  ...MEMBERS[code],
  request_id: 'req_x1y2z31',
});

const catalogue = Object.entries(PROBLEMS)
  .map(([code, { status, title }]) => `- \`${code}\` (${status}): ${title}.`)
  .join('\n');

export const ProblemDocument = Type.Object(
  {
    type: Type.String({ description: 'A URN that ends in the code.' }),
    title: Type.String({ description: 'What the code means, the same for all of a code.' }),
    status: Type.Integer({ description: 'The status of the answer.' }),
    code: Type.Enum(Object.keys(PROBLEMS) as ProblemCode[], {
      description: 'What to decide by; never changes its meaning.',
    }),
    detail: Type.String({ description: 'For people; may change.' }),
    errors: Type.Optional(
      Type.Array(Type.Object({ pointer: Type.String(), detail: Type.String() }), {
        description:
          'Every fault of the request: a JSON pointer into the body, or `?name` of a query parameter.',
      }),
    ),
    request_id: Type.String({ description: 'Names this request in the logs; give it to support.' }),
  },
  {
    title: 'Problem',
    description: `RFC 9457. Codes may have members of their own, such as \`limit\`.\n\n${catalogue}`,
    examples: [exampleOf('invalid_request')],
  },
);
