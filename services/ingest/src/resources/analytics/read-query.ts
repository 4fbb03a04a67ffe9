import { GRAIN_MS, type Grain, ROLLUP_DAYS, type RollupQuery } from '@posthorn/db';
import { invalidRequest, type Problem } from '../../http/problem.ts';
import { timeMs } from '../../http/read-time.ts';
import { DEFAULT_GROUPS, DIMENSION_OF, type MetricsQueryText, readDimensions } from './schema.ts';

const HOUR_MS = GRAIN_MS.hour;
const DAY_MS = GRAIN_MS.day;
/** Points in time of one answer. */
const MAX_POINTS = 3_000;
/** So long a time is shown by minutes, and by hours, when nobody says otherwise. */
const BY_MINUTE_MS = 6 * HOUR_MS;
const BY_HOUR_MS = 14 * DAY_MS;

/** What is asked of the counts, with one group more than is shown, so that the answer can say that there are more. */
export function readQuery(
  query: MetricsQueryText,
  scope: Pick<RollupQuery, 'tenantId' | 'endpointIds'>,
  nowMs: number,
): RollupQuery | Problem {
  const toMs = timeMs(query.to) ?? nowMs;
  const fromMs = timeMs(query.from) ?? toMs - DAY_MS;
  if (fromMs >= toMs) return fault('?from', 'must be before `to`');
  const by = readDimensions(query.group_by)!;
  if (by.includes('webhook') && scope.tenantId === null)
    return fault('?group_by', 'by webhook needs a `tenant_id`');
  const byType = by.includes('event_type') || query.event_type !== undefined;
  const ofWebhooks = by.includes('webhook') || scope.endpointIds !== null;
  const grain = grainOf(query.granularity, { fromMs, toMs, nowMs, onlyDays: byType && ofWebhooks });
  if (typeof grain !== 'string') return grain;
  return {
    grain,
    tenantId: scope.tenantId,
    endpointIds: scope.endpointIds,
    eventType: query.event_type,
    statusClass: query.status_class,
    failure: query.failure,
    fromMs: Math.floor(fromMs / GRAIN_MS[grain]) * GRAIN_MS[grain],
    toMs,
    byTime: query.granularity !== 'total',
    by: by.map((dimension) => DIMENSION_OF[dimension]),
    limit: Number(query.limit ?? DEFAULT_GROUPS) + 1,
  };
}

interface Times {
  readonly fromMs: number;
  readonly toMs: number;
  readonly nowMs: number;
  /** Of a webhook's types no more is kept. */
  readonly onlyDays: boolean;
}

function grainOf(asked: MetricsQueryText['granularity'], times: Times): Grain | Problem {
  const grain = asked === undefined || asked === 'total' ? finest(times) : asked;
  if (times.onlyDays && grain !== 'day')
    return fault('?granularity', 'is `day` or `total` for webhooks by event type');
  const points = (times.toMs - times.fromMs) / GRAIN_MS[grain];
  if (asked !== 'total' && points > MAX_POINTS)
    return fault('?granularity', `is too fine for so long a time: ${MAX_POINTS} ${grain}s at most`);
  return grain;
}

/** The finest that is not too long to look at, and that is kept that long. */
function finest({ fromMs, toMs, nowMs, onlyDays }: Times): Grain {
  if (onlyDays) return 'day';
  const isKept = (grain: Grain): boolean => nowMs - fromMs <= ROLLUP_DAYS[grain] * DAY_MS;
  if (toMs - fromMs <= BY_MINUTE_MS && isKept('minute')) return 'minute';
  return toMs - fromMs <= BY_HOUR_MS && isKept('hour') ? 'hour' : 'day';
}

const fault = (pointer: string, detail: string): Problem => invalidRequest([{ pointer, detail }]);
