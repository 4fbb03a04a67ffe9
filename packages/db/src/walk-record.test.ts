import { describe, expect, test } from 'vitest';
import { type SpanQuery, type WalkedPage, type WalkRequest, walkDays, walkEach } from './walk-record.ts';

interface Row {
  readonly key: string;
  readonly day: number;
  readonly fits: boolean;
}

/** Four rows on every fifth day, of which one in seven fits. */
const ROWS: readonly Row[] = Array.from({ length: 40 }, (_, i) => ({
  key: String(1_000 + i),
  day: 10 + 5 * Math.floor(i / 4),
  fits: i % 7 === 3,
}));
const DAYS = { from: 0, to: 70 };

/** What a query of a span answers. */
function table(rows: readonly Row[], direction: WalkRequest['direction']) {
  const spans: SpanQuery[] = [];
  const inOrder = direction === 'older' ? rows.toReversed() : rows;
  const read = async (span: SpanQuery) => {
    spans.push(span);
    const { after } = span;
    const beside = (key: string) => after === null || (direction === 'older' ? key < after : key > after);
    return inOrder
      .filter((row) => row.day >= span.from && row.day <= span.to && beside(row.key))
      .slice(0, span.scan)
      .map((row, i) => ({ key: row.key, matches: row.fits, nth: i + 1 }))
      .filter((row) => row.matches || row.nth === span.scan)
      .slice(0, span.rows);
  };
  return { read, spans };
}

const fitting = (direction: WalkRequest['direction']) => {
  const keys = ROWS.filter((row) => row.fits).map((row) => row.key);
  return direction === 'older' ? keys.toReversed() : keys;
};

describe('a walk over the days of the record', () => {
  test.each(['older', 'newer'] as const)(
    'shows each row that fits once, %s and in order, whatever the bounds',
    async (direction) => {
      for (const limit of [1, 2, 3, 100]) {
        for (const maxScanned of [1, 2, 5, 9, 1_000]) {
          const { read } = table(ROWS, direction);
          const found: string[] = [];
          let after: string | null = null;
          do {
            const page: { rows: { key: string }[]; readTo: string | null } = await walkDays(
              DAYS,
              { limit, direction, after },
              read,
              maxScanned,
            );
            expect(page.rows.length).toBeLessThanOrEqual(limit);
            found.push(...page.rows.map((row) => row.key));
            after = page.readTo;
          } while (after !== null);
          expect(found).toEqual(fitting(direction));
        }
      }
    },
  );

  test('reads spans that double until the page is full, and no further', async () => {
    const { read, spans } = table(ROWS, 'older');
    await walkDays(DAYS, { limit: 1, direction: 'older', after: null }, read);
    expect(spans.map(({ from, to }) => [from, to])).toEqual([
      [70, 70],
      [68, 69],
      [64, 67],
      [56, 63],
      [40, 55],
    ]);
  });

  test('looks at a bounded number of rows in all, not in each span', async () => {
    const { read, spans } = table(ROWS, 'newer');
    await walkDays(DAYS, { limit: 3, direction: 'newer', after: null }, read, 12);
    expect(spans.every((span) => span.scan <= 12)).toBe(true);
    expect(spans.at(-1)!.scan).toBeLessThanOrEqual(12);
  });

  test('of no days asks nothing', async () => {
    const { read, spans } = table(ROWS, 'older');
    const page = await walkDays({ from: 9, to: 8 }, { limit: 3, direction: 'older', after: null }, read);
    expect(page).toEqual({ rows: [], readTo: null });
    expect(spans).toEqual([]);
  });
});

describe('a walk over several lists', () => {
  const LISTS: Readonly<Record<string, readonly Row[]>> = {
    a: ROWS.filter((_, i) => i % 3 === 0),
    b: ROWS.filter((_, i) => i % 3 === 1),
    none: [],
  };
  const both = (direction: WalkRequest['direction']) =>
    fitting(direction).filter((key) => (Number(key) - 1_000) % 3 !== 2);

  test.each(['older', 'newer'] as const)(
    'shows each row once and in order, %s, whatever each list was read to',
    async (direction) => {
      for (const limit of [1, 2, 3, 100]) {
        for (const maxScanned of [1, 2, 5, 1_000]) {
          const found: string[] = [];
          let after: string | null = null;
          do {
            const page: WalkRequest = { limit, direction, after };
            const walked: WalkedPage<{ key: string }> = await walkEach(
              Object.keys(LISTS),
              page,
              (row) => row.key,
              (list) => walkDays(DAYS, page, table(LISTS[list]!, direction).read, maxScanned),
            );
            expect(walked.rows.length).toBeLessThanOrEqual(limit);
            found.push(...walked.rows.map((row) => row.key));
            after = walked.readTo;
          } while (after !== null);
          expect(found).toEqual(both(direction));
        }
      }
    },
  );
});
