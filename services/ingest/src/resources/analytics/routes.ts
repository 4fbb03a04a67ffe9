import { GRAIN_MS, type Grain, type RollupQuery } from '@posthorn/db';
import { type ListScope, scopeOfList } from '../../access/tenant-of.ts';
import type { App, AppParts } from '../../http/app.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { invalidRequest, isProblem, type Problem, sendProblem } from '../../http/problem.ts';
import { timeMs } from '../../http/read-time.ts';
import {
  DEFAULT_GROUPS,
  DIMENSION_OF,
  type Measure,
  MetricsQuery,
  type MetricsQueryText,
  metricsAnswer,
  readDimensions,
  viewGroup,
} from './schema.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Points in time of one answer. */
const MAX_POINTS = 3_000;

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
What is no attempt (an event, a delivery that began) has no status class.`;

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

/** One group more than is shown, so that the answer can say that there are more. */
function readQuery(query: MetricsQueryText, scope: ListScope, nowMs: number): RollupQuery | Problem {
  const toMs = timeMs(query.to) ?? nowMs;
  const fromMs = timeMs(query.from) ?? toMs - DAY_MS;
  const { granularity } = query;
  const byTime = granularity !== 'total';
  const grain =
    granularity === undefined || granularity === 'total'
      ? grainFor(toMs - fromMs, nowMs - fromMs)
      : granularity;
  const by = readDimensions(query.group_by)!;
  const fault = faultOf({ fromMs, toMs, byTime, grain, ofOne: scope.tenantId !== null, by });
  if (fault) return fault;
  return {
    grain,
    tenantId: scope.tenantId,
    endpointIds: scope.endpointIds,
    eventType: query.event_type,
    statusClass: query.status_class,
    failure: query.failure,
    fromMs: Math.floor(fromMs / GRAIN_MS[grain]) * GRAIN_MS[grain],
    toMs,
    byTime,
    by: by.map((dimension) => DIMENSION_OF[dimension]),
    limit: Number(query.limit ?? DEFAULT_GROUPS) + 1,
  };
}

/** The finest that is not too long to look at, and that is kept that long. */
function grainFor(spanMs: number, ageMs: number): Grain {
  if (spanMs <= 6 * HOUR_MS && ageMs <= 2 * DAY_MS) return 'minute';
  return spanMs <= 14 * DAY_MS && ageMs <= 100 * DAY_MS ? 'hour' : 'day';
}

interface Wanted {
  readonly fromMs: number;
  readonly toMs: number;
  readonly byTime: boolean;
  readonly grain: Grain;
  /** Of one tenant. */
  readonly ofOne: boolean;
  readonly by: readonly string[];
}

function faultOf({ fromMs, toMs, byTime, grain, ofOne, by }: Wanted): Problem | null {
  if (fromMs >= toMs) return invalidRequest([{ pointer: '?from', detail: 'must be before `to`' }]);
  if (by.includes('webhook') && !ofOne)
    return invalidRequest([{ pointer: '?group_by', detail: 'by webhook needs a `tenant_id`' }]);
  const points = (toMs - fromMs) / GRAIN_MS[grain];
  if (byTime && points > MAX_POINTS)
    return invalidRequest([
      { pointer: '?granularity', detail: `is too fine for so long a time: ${MAX_POINTS} ${grain}s at most` },
    ]);
  return null;
}
