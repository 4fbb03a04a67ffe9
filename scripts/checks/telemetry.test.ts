import { expect, test } from 'vitest';
import { documentedMetrics, type Metric, queriedMetrics, registeredMetrics } from './metric-names.ts';
import { filesOf, readText } from './repository.ts';

const SPECIFICATION = readText('docs/specs/telemetry.md');
const BOUNDED_ONLY = [
  'tenant',
  'tenant_id',
  'endpoint',
  'endpoint_id',
  'webhook_id',
  'event_id',
  'delivery_id',
  'url',
];

const byName = (metrics: readonly Metric[]): string[] =>
  metrics.map(({ name, type, labels }) => `${name} ${type} {${[...labels].sort().join(', ')}}`).sort();

const sources = filesOf('{services,packages}/*/src/**/*.ts').filter((path) => !path.endsWith('.test.ts'));
const registered = sources.flatMap((path) => registeredMetrics(readText(path)));

test('each metric that the code registers is specified with its type and labels, and no other', () => {
  expect(registered.length).toBeGreaterThan(10);
  expect(byName(documentedMetrics(SPECIFICATION))).toEqual(byName(registered));
});

test('each metric is named after the service that registers it', () => {
  const odd = sources.flatMap((path) => {
    const service = /^services\/([a-z]+)\//.exec(path)?.[1];
    const names = registeredMetrics(readText(path)).map(({ name }) => name);
    return names.filter((name) => service === undefined || !name.startsWith(`posthorn_${service}_`));
  });
  expect(odd).toEqual([]);
});

test('no label of a metric is unbounded', () => {
  const unbounded = registered.filter(({ labels }) => labels.some((label) => BOUNDED_ONLY.includes(label)));
  expect(unbounded).toEqual([]);
});

test('counters, and only they, end in _total', () => {
  const odd = registered.filter(({ name, type }) => name.endsWith('_total') !== (type === 'counter'));
  expect(odd).toEqual([]);
});

test('the dashboards ask only for metrics that are specified', () => {
  const documented = documentedMetrics(SPECIFICATION);
  const known = new Set(documented.map(({ name }) => name));
  const dashboards = filesOf('infra/observability/grafana/dashboards/*.json');
  const asked = dashboards.flatMap((path) => queriedMetrics(readText(path), documented));
  expect(asked.length).toBeGreaterThan(5);
  expect(asked.filter((name) => !known.has(name))).toEqual([]);
});

test('each log line that the specification names is written somewhere', () => {
  const lines = [...SPECIFICATION.matchAll(/^\|\s*"([^"]+)"\s*\|/gm)].map((match) => match[1]!);
  const code = sources.map(readText).join('\n');
  expect(lines.length).toBeGreaterThan(5);
  expect(lines.filter((line) => !code.includes(`'${line}'`))).toEqual([]);
});
