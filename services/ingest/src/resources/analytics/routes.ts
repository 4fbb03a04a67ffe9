import { scopeOfList } from '../../access/tenant-of.ts';
import type { App, AppParts } from '../../http/app.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { isProblem, sendProblem } from '../../http/problem.ts';
import { readQuery } from './read-query.ts';
import { type Measure, MetricsQuery, metricsAnswer, viewGroup } from './schema.ts';

const ROUTES: readonly {
  readonly path: string;
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  readonly measures: readonly Measure[];
}[] = [
  {
    path: '/metrics/deliveries',
    id: 'measureDeliveries',
    title: 'DeliveryMetrics',
    summary: 'Count deliveries and what came of them',
    measures: [
      'events',
      'deliveries',
      'attempts',
      'succeeded',
      'success_rate',
      'error_rate',
      'latency_ms',
      'dead_letters',
    ],
  },
  {
    path: '/metrics/attempts',
    id: 'measureAttempts',
    title: 'AttemptMetrics',
    summary: 'Count attempts and their latencies',
    measures: ['attempts', 'succeeded', 'success_rate', 'error_rate', 'latency_ms'],
  },
  {
    path: '/metrics/events',
    id: 'measureEvents',
    title: 'EventMetrics',
    summary: 'Count events',
    measures: ['events'],
  },
  {
    path: '/metrics/dead-letters',
    id: 'measureDeadLetters',
    title: 'DeadLetterMetrics',
    summary: 'Count new dead letters',
    measures: ['dead_letters'],
  },
];

const DESCRIPTION = `Counts are some seconds old, and their percentiles come from buckets. An operator who names no tenant measures all of
them together; grouped by \`webhook\`, or of one, they are of one tenant. A token that is narrowed measures its own webhooks.
What is no attempt (an event, a delivery that began) has no status class. Of a tenant 500 event types a
day are counted by name; further ones are together under \`*\`.`;

export function analyticsRoutes(app: App, parts: AppParts): void {
  for (const route of ROUTES) measure(app, parts, route);
}

function measure(
  app: App,
  parts: AppParts,
  { path, id, title, summary, measures }: (typeof ROUTES)[number],
): void {
  const declared = operation({
    id,
    tag: 'Analytics',
    summary,
    description: DESCRIPTION,
    access: { scope: 'read', callers: EVERYBODY },
    querystring: MetricsQuery,
    answers: { 200: metricsAnswer(title, measures) },
    problems: ['tenant_not_found'],
  });
  app.get(path, declared, async (request, reply) => {
    const { query, caller } = request;
    const scope = await scopeOfList(parts.tenants, caller, query);
    if (isProblem(scope)) return sendProblem(reply, scope);
    const asked = readQuery(query, scope, parts.clock.nowMs());
    if (isProblem(asked)) return sendProblem(reply, asked);
    const groups = await parts.store.analytics.queryRollups(asked);
    const limit = asked.limit - 1;
    const countsEvents = asked.endpointIds === null && !asked.by.includes('endpoint');
    return reply.send({
      from: new Date(asked.fromMs).toISOString(),
      to: new Date(asked.toMs).toISOString(),
      granularity: asked.byTime ? asked.grain : ('total' as const),
      data: groups.slice(0, limit).map((group) => viewGroup(group, measures, { countsEvents })) as never,
      truncated: groups.length > limit,
    });
  });
}
