import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compileFilter } from './content-filter.ts';
import { routedEvent } from './routed-event.ts';
import {
  MAX_FILTER_CHARS,
  MAX_FILTER_DEPTH,
  MAX_FILTER_NODES,
  MAX_FILTER_TEXT_CHARS,
} from './walk-filter.ts';

const page = readFileSync(new URL('../../../docs/guides/content-filters.md', import.meta.url), 'utf8');

/** The cells of the rows of the table with this heading, without the marks of code. */
function rowsUnder(heading: string): string[][] {
  const [, table] = page.split(`${heading}\n`);
  const rows = table!.split('\n\n')[0]!.split('\n').slice(1);
  return rows.map((row) => row.split(' | ').map((cell) => cell.replace(/^[|\s`]+|[`|\s]+$/g, '')));
}

describe('docs/guides/content-filters.md', () => {
  const examples = rowsUnder('| filter | gets | does not get |');

  test.each(examples)('%s gets %s and not %s', (filter, wanted, unwanted) => {
    const compiled = compileFilter(JSON.parse(filter!));
    if (compiled.kind === 'faults') throw new Error(JSON.stringify(compiled.faults));
    const gets = (payload: string) =>
      compiled.matches(
        routedEvent({ type: 'x', labels: {}, contentType: 'application/json' }, Buffer.from(payload)),
      );
    expect([gets(wanted!), gets(unwanted!)]).toEqual([true, false]);
  });

  test('has examples, and the bounds that are kept', () => {
    expect(examples.length).toBeGreaterThan(5);
    const bounds = rowsUnder('| what | most |').map(([, most]) => Number(most!.replace(',', '')));
    expect(bounds).toEqual([MAX_FILTER_DEPTH, MAX_FILTER_NODES, MAX_FILTER_TEXT_CHARS, MAX_FILTER_CHARS]);
  });
});
