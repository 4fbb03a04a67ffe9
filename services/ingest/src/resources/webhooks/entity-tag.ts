import { invalidRequest, type Problem, problem } from '../../http/problem.ts';

/** What a change expects of the state it was made from: RFC 9110 §13.1.1. */
export type Expected =
  /** Any: no condition, or `*`. */
  | null
  /** One of these revisions. */
  | ReadonlySet<number>;

/** Strong: each change of the webhook gives it another. */
export const entityTag = ({ revision }: { readonly revision: number }): string => `"${revision}"`;

const MAX_TAGS = 10;
const TAG = /^(W\/)?"([\u0021\u0023-\u007e]*)"$/;

/**
 * Reads `If-Match`. A tag that is weak, or none of ours, matches nothing, so what asks for it is stale; a header that
 * is no list of tags is a fault.
 */
export function readIfMatch(header: string | undefined): Expected | Problem {
  if (header === undefined || header.trim() === '*') return null;
  const tags = header.split(',').map((tag) => TAG.exec(tag.trim()));
  if (tags.length > MAX_TAGS || tags.some((tag) => tag === null)) return MALFORMED;
  return new Set(tags.flatMap((tag) => (isOurs(tag!) ? Number(tag![2]) : [])));
}

const isOurs = ([, weak, text]: RegExpExecArray): boolean => weak === undefined && /^\d{1,15}$/.test(text!);

const MALFORMED = invalidRequest([
  { pointer: 'If-Match', detail: `must be "*" or up to ${MAX_TAGS} entity tags, as in ETag` },
]);

export const staleWebhook = (row: { readonly revision: number }): Problem =>
  problem('precondition_failed', 'it was changed meanwhile: get it again, and decide anew', {
    headers: { etag: entityTag(row) },
  });

export const PRECONDITION_REQUIRED = problem(
  'precondition_required',
  'send If-Match with the ETag of what you replace, or "*"',
);
