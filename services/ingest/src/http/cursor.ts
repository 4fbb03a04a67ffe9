import Type, { type Static } from 'typebox';
import { invalidRequest, type Problem } from './problem.ts';
import { integerText } from './validation.ts';

export const DEFAULT_PAGE = 50;
export const MAX_PAGE = 1_000;
const MAX_CURSOR_CHARS = 1_024;

/** What every list takes. */
export const pageQuery = {
  limit: Type.Optional(
    integerText(1, MAX_PAGE, {
      description: `Entries of a page; ${DEFAULT_PAGE} when left out.`,
      examples: ['50'],
    }),
  ),
  cursor: Type.Optional(
    Type.String({
      maxLength: MAX_CURSOR_CHARS,
      description: 'Where the page starts: from `next` or `prev` of another.',
    }),
  ),
};

/** `{ data, next, prev }`: the links are paths with all of the query, null where there is no such page. */
export const pageOf = <T extends Type.TSchema>(entry: T, title: string, example: Static<T>) =>
  Type.Object(
    {
      data: Type.Array(entry),
      next: Type.Union([Type.String(), Type.Null()]),
      prev: Type.Union([Type.String(), Type.Null()]),
    },
    { title, description: 'A page.', examples: [{ data: [example], next: null, prev: null }] },
  );

export interface Cursor {
  /** The list it is of: a cursor of another list is refused. */
  readonly of: string;
  /** In whose list: null for one over all tenants. */
  readonly tenantId: string | null;
  readonly direction: 'next' | 'prev';
  /** The sort key of the entry beside which the page starts. */
  readonly at: readonly string[];
}

export function encodeCursor({ of, tenantId, direction, at }: Cursor): string {
  return Buffer.from(JSON.stringify([of, tenantId, direction, ...at])).toString('base64url');
}

/**
 * Null for no cursor, a problem for one that is malformed, of another list, or of another tenant. What it says is a
 * place in a list that the caller may read anyway: it is not signed.
 */
export function decodeCursor(
  text: string | undefined,
  { of, tenantId }: Pick<Cursor, 'of' | 'tenantId'>,
): Cursor | null | Problem {
  if (text === undefined) return null;
  const parts = parse(text);
  if (parts === null || parts[0] !== of || parts[1] !== tenantId) return INVALID_CURSOR;
  const [, , direction, ...at] = parts;
  if (direction !== 'next' && direction !== 'prev') return INVALID_CURSOR;
  if (!at.every(isPart)) return INVALID_CURSOR;
  return { of, tenantId, direction, at };
}

/** What Postgres can be asked with. */
const isPart = (part: unknown): part is string =>
  typeof part === 'string' && part.isWellFormed() && !part.includes('\0');

export const INVALID_CURSOR = invalidRequest([
  { pointer: '?cursor', detail: 'is not a cursor of this list: start without one' },
]);

function parse(text: string): unknown[] | null {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return null;
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return Array.isArray(parts) ? parts : null;
  } catch {
    return null;
  }
}
