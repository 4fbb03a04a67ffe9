export type MetricType = 'counter' | 'gauge' | 'histogram';

export interface Metric {
  readonly name: string;
  readonly type: MetricType;
  readonly labels: readonly string[];
}

const REGISTRATION = /\b(counter|gauge|histogram)(?:Of)?\(\s*'(posthorn_[a-z0-9_]+)'/g;
const LABELS = /\[\s*'[a-z_]+'(?:\s*,\s*'[a-z_]+')*\s*,?\s*\]/g;
const ROW = /^\|\s*`(posthorn_[a-z0-9_]+)`\s*\|\s*(counter|gauge|histogram)\s*\|([^|]*)\|/gm;
const IN_QUERY = /\bposthorn_[a-z0-9_]+/g;

/** The metrics that a source file registers: `metrics.counter('posthorn_…', help, ['label'])` and its sisters. */
export function registeredMetrics(source: string): Metric[] {
  return [...source.matchAll(REGISTRATION)].map((match) => {
    const call = callFrom(source, match.index);
    return { name: match[2]!, type: match[1] as MetricType, labels: labelsIn(call) };
  });
}

/** The text from `start` to the parenthesis that closes the first one. */
function callFrom(source: string, start: number): string {
  let depth = 0;
  for (let i = source.indexOf('(', start); i < source.length; i++) {
    if (source[i] === '(') depth++;
    if (source[i] === ')' && --depth === 0) return source.slice(start, i);
  }
  return source.slice(start);
}

function labelsIn(call: string): string[] {
  const literal = call.match(LABELS)?.[0] ?? '';
  return [...literal.matchAll(/'([a-z_]+)'/g)].map((match) => match[1]!);
}

/** The rows of the metric tables of docs/specs/telemetry.md. */
export function documentedMetrics(markdown: string): Metric[] {
  return [...markdown.matchAll(ROW)].map(([, name, type, labels]) => ({
    name: name!,
    type: type as MetricType,
    labels: [...labels!.matchAll(/`([a-z_]+)`/g)].map((match) => match[1]!),
  }));
}

/** The metrics that the queries of a dashboard ask for; the series of a histogram count as the histogram. */
export function queriedMetrics(dashboard: string, documented: readonly Metric[]): string[] {
  const histograms = new Set(documented.filter(({ type }) => type === 'histogram').map(({ name }) => name));
  const names = [...dashboard.matchAll(IN_QUERY)].map(([series]) => {
    const base = series.replace(/_(bucket|sum|count)$/, '');
    return histograms.has(base) ? base : series;
  });
  return [...new Set(names)];
}
