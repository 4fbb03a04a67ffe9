import { type Cursor, DEFAULT_PAGE, decodeCursor, encodeCursor, INVALID_CURSOR } from './cursor.ts';
import { isProblem, type Problem } from './problem.ts';

/** A list of the API, and the page of it that is asked for. */
export interface List<Row> {
  /** Without the prefix: `/webhooks`. */
  readonly path: string;
  readonly query: Readonly<Record<string, string | undefined>>;
  /** Whose list it is: null for one over all tenants. */
  readonly tenantId: string | null;
  /** The sort key of an entry. */
  readonly keyOf: (row: Row) => readonly string[];
  /** Whether a cursor's sort key could be one of this list; left out where any text can be asked for. */
  readonly isKey?: (key: readonly string[]) => boolean;
}

/** Where a page starts. */
export interface Place {
  /** The sort key of the entry beside which it starts; null for the first page. */
  readonly at: readonly string[] | null;
  /** Read in the opposite order, from `at`. */
  readonly backwards: boolean;
  readonly limit: number;
}

/** The same in a list that is sorted by one text. */
export const byText = ({ at, ...place }: Place) => ({ ...place, at: at?.[0] ?? null });

export interface Page<View> {
  readonly data: View[];
  readonly next: string | null;
  readonly prev: string | null;
}

export function placeOf<Row>({ path, query, tenantId, isKey }: List<Row>): Place | Problem {
  const cursor = decodeCursor(query.cursor, { of: path, tenantId });
  if (cursor !== null && isProblem(cursor)) return cursor;
  if (cursor !== null && isKey?.(cursor.at) === false) return INVALID_CURSOR;
  const limit = Number(query.limit ?? DEFAULT_PAGE);
  return { at: cursor?.at ?? null, backwards: cursor?.direction === 'prev', limit };
}

/**
 * A page, as it is shown. `read` is asked for one row more than the page has: by that is known whether there is a
 * further one.
 */
export async function readPage<Row, View>(
  list: List<Row>,
  view: (row: Row) => View,
  read: (place: Place) => Promise<readonly Row[]>,
): Promise<Page<View> | Problem> {
  const place = placeOf(list);
  if (isProblem(place)) return place;
  const found = await read({ ...place, limit: place.limit + 1 });
  return cutPage(list, place, found, view);
}

function cutPage<Row, View>(
  list: List<Row>,
  { at, backwards, limit }: Place,
  found: readonly Row[],
  view: (row: Row) => View,
): Page<View> {
  const hasMore = found.length > limit;
  const kept = found.slice(0, limit);
  const rows = backwards ? kept.toReversed() : kept;
  const link = (direction: Cursor['direction'], row: Row | undefined): string | null =>
    row === undefined ? null : linkTo(list, direction, list.keyOf(row));
  const hasNext = backwards || hasMore;
  const hasPrev = backwards ? hasMore : at !== null;
  return {
    data: rows.map(view),
    next: hasNext ? link('next', rows.at(-1)) : null,
    prev: hasPrev ? link('prev', rows[0]) : null,
  };
}

/** A path with all of the query, and the cursor in the place of another. */
export function linkTo<Row>(
  { path, query, tenantId }: List<Row>,
  direction: Cursor['direction'],
  at: readonly string[],
): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && name !== 'cursor') search.set(name, value);
  }
  search.set('cursor', encodeCursor({ of: path, tenantId, direction, at }));
  return `/v1${path}?${search}`;
}
