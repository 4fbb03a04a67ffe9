import { expect, test } from 'vitest';
import { documentedMetrics, queriedMetrics, registeredMetrics } from './metric-names.ts';

test('a registration is read with its type and labels, however it is laid out', () => {
  const source = `
    sent: metrics.counter('posthorn_sent_total', 'Sent (all).', ['outcome', 'failure']),
    depth: metrics.gauge(
      'posthorn_depth_slots', 'Depth.', [], (gauge) => gauge.set(size()),
    ),
    kept: metrics.counterOf('posthorn_kept_total', 'Kept by somebody else.', () => size()),
    took: metrics.histogram('posthorn_took_seconds', 'Took.', [0.1, 1], ['state']),`;
  expect(registeredMetrics(source)).toEqual([
    { name: 'posthorn_sent_total', type: 'counter', labels: ['outcome', 'failure'] },
    { name: 'posthorn_depth_slots', type: 'gauge', labels: [] },
    { name: 'posthorn_kept_total', type: 'counter', labels: [] },
    { name: 'posthorn_took_seconds', type: 'histogram', labels: ['state'] },
  ]);
});

test('a row of the specification is read with its type and labels', () => {
  expect(
    documentedMetrics('| `posthorn_sent_total` | counter | `outcome`, `failure` | sends | Sent. |\n'),
  ).toEqual([{ name: 'posthorn_sent_total', type: 'counter', labels: ['outcome', 'failure'] }]);
});

test('the series of a histogram count as the histogram', () => {
  const took = { name: 'posthorn_took_seconds', type: 'histogram', labels: [] } as const;
  expect(queriedMetrics('rate(posthorn_took_seconds_bucket[1m]) posthorn_depth_count', [took])).toEqual([
    'posthorn_took_seconds',
    'posthorn_depth_count',
  ]);
});
