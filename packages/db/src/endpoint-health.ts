import type { Sql } from './database.ts';

/** What a batch says about endpoints, each once. Times in Unix milliseconds by the workers' clocks. */
export interface HealthColumns {
  readonly endpointId: string[];
  readonly tenantId: string[];
  readonly lastSuccessAtMs: (number | null)[];
  /** Of the failures after that success. */
  readonly firstFailureAtMs: (number | null)[];
  readonly lastFailureAtMs: (number | null)[];
}

export interface FailingEndpoint {
  readonly endpointId: string;
  readonly tenantId: string;
}

/**
 * Brings what is known of endpoints up to date, whatever the order of arrival, and gives back those that have answered
 * nothing but failures for `failingForMs` or more, from the first to the last; never when that is 0. Endpoints that are
 * gone are left out.
 */
export async function recordHealth(
  sql: Sql,
  rows: HealthColumns,
  failingForMs: number,
): Promise<FailingEndpoint[]> {
  if (rows.endpointId.length === 0) return [];
  return sql<FailingEndpoint[]>`
    with given as (
      select endpoint_id, tenant_id, to_timestamp(succeeded::float8 / 1000) as succeeded,
             to_timestamp(first_failed::float8 / 1000) as first_failed,
             to_timestamp(last_failed::float8 / 1000) as last_failed
      from unnest(
        ${rows.endpointId}::text[], ${rows.tenantId}::text[], ${rows.lastSuccessAtMs}::bigint[],
        ${rows.firstFailureAtMs}::bigint[], ${rows.lastFailureAtMs}::bigint[]
      ) as given (endpoint_id, tenant_id, succeeded, first_failed, last_failed)
      where exists (select 1 from endpoints e where e.endpoint_id = given.endpoint_id)
    ), written as (
      insert into endpoint_health as h (endpoint_id, tenant_id, failing_since, last_success_at, last_failure_at)
      select endpoint_id, tenant_id, first_failed, succeeded, last_failed from given
      -- One order of locks for all recorders.
      order by endpoint_id
      on conflict (endpoint_id) do update set
        last_success_at = greatest(h.last_success_at, excluded.last_success_at),
        last_failure_at = greatest(h.last_failure_at, excluded.last_failure_at),
        -- The earliest failure known that lies behind every success.
        failing_since = (
          select min(failed)
          from (values (h.failing_since), (excluded.failing_since), (excluded.last_failure_at)) known (failed)
          where failed > coalesce(greatest(h.last_success_at, excluded.last_success_at), '-infinity')
        )
      returning endpoint_id, tenant_id, failing_since, last_failure_at
    )
    select endpoint_id, tenant_id from written
    where ${failingForMs} > 0
      and last_failure_at - failing_since >= ${failingForMs} * interval '1 millisecond'`;
}

/** What it answered before says nothing any more: it has another URL, or a person has set it going again. */
export async function forgetHealth(sql: Sql, endpointId: string): Promise<void> {
  await sql`delete from endpoint_health where endpoint_id = ${endpointId}`;
}

/** Removes those that nothing was sent to for a month; gives back how many. */
export async function removeQuietHealth(sql: Sql): Promise<number> {
  const removed = await sql`
    delete from endpoint_health where greatest(last_success_at, last_failure_at) < now() - interval '30 days'`;
  return removed.count;
}
