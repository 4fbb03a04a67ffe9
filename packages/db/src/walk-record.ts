/**
 * Reading lists of the record page by page. Rows of a list sort by time, their partitions are days, and so a list is
 * walked in spans of days that double, and ends where the page is full. A filter that no index serves is held against a
 * bounded number of rows: a page may be shorter than was asked for, even empty, and says where to go on.
 */
export interface WalkRequest {
  readonly limit: number;
  /** `older`: from the newest on. */
  readonly direction: 'older' | 'newer';
  /** The key beside which the page starts; null: at the end of the list that is read first. */
  readonly after: string | null;
}

export interface WalkedPage<Row> {
  /** In the order of reading; up to `limit`. */
  readonly rows: Row[];
  /** Where to go on; null: there is nothing more. */
  readonly readTo: string | null;
}

/** Days since 1970-01-01, both included. */
export interface DaySpan {
  readonly from: number;
  readonly to: number;
}

export interface SpanQuery extends DaySpan {
  readonly after: string | null;
  /** Rows to give back, and rows to look at for them. */
  readonly rows: number;
  readonly scan: number;
}

/** `matches` is false for a row that is given back to say that `scan` rows end with it. */
export interface SpanRow {
  readonly key: string;
  readonly matches: boolean;
  /** Which of the rows that were looked at, from 1. */
  readonly nth: number;
}

/** Rows that one page looks at to find those that fit: each may be a read from the disk (docs/perf/search.md). */
export const MAX_ROWS_SCANNED = 800;

export async function walkDays<Row extends SpanRow>(
  days: DaySpan,
  { limit, direction, after }: WalkRequest,
  readSpan: (query: SpanQuery) => Promise<Row[]>,
  maxScanned = MAX_ROWS_SCANNED,
): Promise<WalkedPage<Row>> {
  const found: Row[] = [];
  let scan = Math.max(maxScanned, limit + 1);
  for (const span of doublingSpans(days, direction)) {
    // One more than the page has: whether there is a next one.
    const rows = await readSpan({ ...span, after, rows: limit + 1 - found.length, scan });
    found.push(...rows.filter((row) => row.matches));
    if (found.length > limit) return { rows: found.slice(0, limit), readTo: found[limit - 1]!.key };
    const last = rows.at(-1);
    if (last?.nth === scan) return { rows: found, readTo: last.key };
    scan -= last?.nth ?? 0;
  }
  return { rows: found, readTo: null };
}

/** Of so many endpoints each is walked by itself; of more, the rows of their tenant are looked through. */
export const MAX_ENDPOINTS_WALKED = 10;

/**
 * The page of several lists together. What one of them did not read to its end is known no further than where it
 * stopped: there the page ends too.
 */
export async function walkEach<Row>(
  lists: readonly string[],
  { limit, direction }: WalkRequest,
  keyOf: (row: Row) => string,
  walk: (list: string) => Promise<WalkedPage<Row>>,
): Promise<WalkedPage<Row>> {
  const pages: WalkedPage<Row>[] = [];
  for (const list of lists) pages.push(await walk(list));
  const isBefore = (a: string, b: string): boolean => (direction === 'older' ? a > b : a < b);
  const stops = pages.flatMap((page) => page.readTo ?? []).sort((a, b) => (isBefore(a, b) ? -1 : 1));
  const stop = stops[0] ?? null;
  const rows = pages
    .flatMap((page) => page.rows)
    .filter((row) => stop === null || !isBefore(stop, keyOf(row)))
    .sort((a, b) => (isBefore(keyOf(a), keyOf(b)) ? -1 : 1));
  if (rows.length <= limit) return { rows, readTo: stop };
  return { rows: rows.slice(0, limit), readTo: keyOf(rows[limit - 1]!) };
}

/** 1, 2, 4, … days, from the end that is read first. */
function* doublingSpans({ from, to }: DaySpan, direction: WalkRequest['direction']): Generator<DaySpan> {
  let days = 1;
  for (let at = direction === 'older' ? to : from; at >= from && at <= to; days *= 2) {
    const end = direction === 'older' ? Math.max(from, at - days + 1) : Math.min(to, at + days - 1);
    yield direction === 'older' ? { from: end, to: at } : { from: at, to: end };
    at = direction === 'older' ? end - 1 : end + 1;
  }
}
