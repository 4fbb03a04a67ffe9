import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

test('a counter that somebody else keeps shows their total at each scrape', async () => {
  const metrics = createMetrics('test');
  let total = 2;
  metrics.counterOf('posthorn_test_things_total', 'Things.', () => total);
  expect(await metrics.registry.metrics()).toContain('posthorn_test_things_total{service="test"} 2\n');
  total = 5;
  expect(await metrics.registry.metrics()).toContain('posthorn_test_things_total{service="test"} 5\n');
});

test('a name outside of posthorn_ is refused', () => {
  expect(() => createMetrics('test').counter('things_total', 'Things.')).toThrow('things_total');
});
