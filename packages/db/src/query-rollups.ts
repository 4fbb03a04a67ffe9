import type { Sql } from './database.ts';
import { LATENCY_BUCKETS, latencyAt } from './latency-buckets.ts';
import { type Counts, GRAIN_MS, type Grain, ROLLUP_DAYS } from './rollups.ts';

export const DIMENSIONS = ['tenant', 'endpoint', 'event_type', 'status_class', 'failure'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export interface RollupQuery {
  readonly grain: Grain;
  /** Null: of all tenants. */
  readonly tenantId: string | null;
  /** Null: of all. */
  readonly endpointIds: readonly string[] | null;
  readonly eventType?: string | undefined;
  readonly statusClass?: string | undefined;
  readonly failure?: string | undefined;
  /** Buckets that begin at or after it … */
  readonly fromMs: number;
  /** … and before it. */
  readonly toMs: number;
  /** False: all buckets together. */
  readonly byTime: boolean;
  readonly by: readonly Dimension[];
  readonly limit: number;
}

export interface RollupGroup extends Counts {
  readonly bucket: Date | null;
  /** Of the dimensions that were asked for; '' of what is no attempt. */
  readonly tenant?: string;
  readonly endpoint?: string;
  readonly eventType?: string;
  readonly statusClass?: string;
  readonly failure?: string;
}

const COLUMNS: Readonly<Record<Dimension, string>> = {
  tenant: 'tenant_id as tenant',
  endpoint: 'endpoint_id as endpoint',
  event_type: 'event_type',
  status_class: 'status_class',
  failure: 'failure',
};

/** Floats hold whole numbers up to 2^53, and are added up in a fraction of the time of numerics. */
const LATENCY = Array.from({ length: LATENCY_BUCKETS }, (_, i) => `sum(l${i}::float8)`).join(', ');

/** In the order of time, then of the dimensions; up to `limit` groups. */
export async function queryRollups(sql: Sql, query: RollupQuery): Promise<RollupGroup[]> {
  const keys = query.by.map((dimension) => COLUMNS[dimension].split(' ')[0]!);
  const grouped = [...(query.byTime ? ['bucket'] : []), ...keys];
  const shown = [
    query.byTime ? 'bucket' : 'null::timestamptz as bucket',
    ...query.by.map((each) => COLUMNS[each]),
  ];
  const rows = await sql<RollupGroup[]>`
    select ${sql.unsafe(shown.join(', '))},
           coalesce(sum(events::float8), 0) as events, coalesce(sum(deliveries::float8), 0) as deliveries,
           coalesce(sum(attempts::float8), 0) as attempts, coalesce(sum(succeeded::float8), 0) as succeeded,
           coalesce(sum(dead_letters::float8), 0) as dead_letters, array[${sql.unsafe(LATENCY)}]::float8[] as latency
    from rollups
    where grain = ${query.grain} and bucket >= ${new Date(query.fromMs)} and bucket < ${new Date(query.toMs)}
      and ${owners(sql, query)}
      and ${ofType(sql, query)}
      ${query.statusClass === undefined ? sql`` : sql`and status_class = ${query.statusClass}`}
      ${query.failure === undefined ? sql`` : sql`and failure = ${query.failure}`}
    ${grouped.length === 0 ? sql`` : sql.unsafe(`group by ${grouped.join(', ')} order by ${grouped.join(', ')}`)}
    limit ${query.limit}`;
  return rows.map((row) => ({ ...row, latency: row.latency.map((count) => count ?? 0) }));
}

/** Counts are kept of each type and of all types together. */
function ofType(sql: Sql, { eventType, by }: RollupQuery) {
  if (eventType !== undefined) return sql`by_type and event_type = ${eventType}`;
  return by.includes('event_type') ? sql`by_type` : sql`not by_type`;
}

/** Counts are kept of each endpoint, of each tenant and of all: the fewest rows that answer. */
function owners(sql: Sql, { tenantId, endpointIds, by }: RollupQuery) {
  if (endpointIds !== null && tenantId === null)
    return sql`(tenant_id, endpoint_id) in (
      select tenant_id, endpoint_id from endpoints where endpoint_id = any(${[...endpointIds]}::text[])
    )`;
  if (endpointIds !== null)
    return sql`tenant_id = ${tenantId} and endpoint_id = any(${[...endpointIds]}::text[])`;
  if (by.includes('endpoint'))
    return sql`tenant_id = ${tenantId}
      and endpoint_id = any(array(select endpoint_id from endpoints where tenant_id = ${tenantId}))`;
  if (tenantId !== null) return sql`tenant_id = ${tenantId} and endpoint_id = ''`;
  return by.includes('tenant')
    ? sql`endpoint_id = '' and tenant_id <> ''`
    : sql`tenant_id = '' and endpoint_id = ''`;
}

/** What came of an endpoint's attempts within a window that ends now. */
export interface EndpointStats {
  readonly attempts: number;
  readonly succeeded: number;
  readonly deadLetters: number;
  /** Of attempts; null where there were none. */
  readonly successRate: number | null;
  readonly latencyMs: {
    readonly p50: number | null;
    readonly p95: number | null;
    readonly p99: number | null;
  };
  /** `2xx` … `none`: attempts. */
  readonly byStatusClass: Readonly<Record<string, number>>;
}

/** The window begins with the minute, or beyond two days the hour, in which it begins; counts are some seconds old. */
export async function rollupStats(
  sql: Sql,
  tenantId: string,
  endpointId: string,
  window: { readonly windowMs: number; readonly nowMs: number },
): Promise<EndpointStats> {
  const grain = window.windowMs < ROLLUP_DAYS.minute * GRAIN_MS.day ? 'minute' : 'hour';
  const from = Math.floor((window.nowMs - window.windowMs) / GRAIN_MS[grain]) * GRAIN_MS[grain];
  const groups = await queryRollups(sql, {
    grain,
    tenantId,
    endpointIds: [endpointId],
    fromMs: from,
    toMs: window.nowMs + GRAIN_MS.hour,
    byTime: false,
    by: ['status_class'],
    limit: 100,
  });
  const sum = (value: (group: RollupGroup) => number): number =>
    groups.reduce((total, group) => total + value(group), 0);
  const attempts = sum((group) => group.attempts);
  const succeeded = sum((group) => group.succeeded);
  const latency = Array.from({ length: LATENCY_BUCKETS }, (_, i) => sum((group) => group.latency[i]!));
  return {
    attempts,
    succeeded,
    deadLetters: sum((group) => group.deadLetters),
    successRate: attempts === 0 ? null : succeeded / attempts,
    latencyMs: latencyPercentiles(latency),
    byStatusClass: Object.fromEntries(
      groups.filter((group) => group.attempts > 0).map((group) => [group.statusClass!, group.attempts]),
    ),
  };
}

export const latencyPercentiles = (counts: readonly number[]): EndpointStats['latencyMs'] => ({
  p50: latencyAt(counts, 0.5),
  p95: latencyAt(counts, 0.95),
  p99: latencyAt(counts, 0.99),
});
