import { expect, test } from 'vitest';
import { addRows, type KindRow } from './kind-rows.ts';
import { renderReport } from './render-report.ts';
import type { Report } from './write-report.ts';

const row = (kind: KindRow['kind'], fields: Partial<KindRow> = {}): KindRow => ({
  kind,
  kills: 1,
  lost: 0,
  duplicates: 2,
  bound: 5,
  secondCopies: 0,
  gracefulStops: 0,
  gracefulDuplicates: 0,
  ...fields,
});

const result = (fields: Partial<Report['results'][number]>): Report['results'][number] => ({
  id: 'D1',
  title: 'kills lose nothing',
  verdict: 'passed',
  seconds: 3,
  figures: { lost: 0, oldest_settled_ms: 40 },
  complaints: [],
  ...fields,
});

const render = (...results: Report['results']) =>
  renderReport({ seed: 7, form: 'long', brokers: 3, versions: { node: '24' }, results });

test('rounds add up to one row a kind, in the order of the way of an event', () => {
  const rows = addRows([row('broker'), row('ingest'), row('broker', { kills: 2, lost: 1 })]);
  expect(rows.map(({ kind, kills, lost, bound }) => [kind, kills, lost, bound])).toEqual([
    ['ingest', 1, 0, 5],
    ['broker', 3, 1, 10],
  ]);
});

test('the report shows seed, versions, the table of kills and the figures of each scenario', () => {
  const text = render(
    result({ kinds: [row('worker')] }),
    result({ id: 'D13', skipped: 'no mount', verdict: 'skipped' }),
  );
  expect(text).toContain('Seed 7; node 24. No promise was broken.');
  expect(text).toContain('three brokers (RF 3, min ISR 2)');
  expect(text).toContain('| worker | 1 | 0 | 2 | 5 | 0 | 0 | 0 |');
  expect(text).toContain('| passed | lost 0, oldest settled ms 40 |');
  expect(text).toContain('| skipped: no mount |');
});

test('a failed scenario is said at the top, with what it complains of below', () => {
  const text = render(result({ verdict: 'failed', complaints: ['3 lost', 'Error: one\n    at two'] }));
  expect(text).toContain('**1 failed.**');
  expect(text).toContain('## What D1 complains of\n\n- 3 lost\n- Error: one\n');
});
