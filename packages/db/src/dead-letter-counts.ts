import { OPERATOR_TENANT_ID } from '@posthorn/contracts';
import { inTransaction, type PoolSql, type Sql } from './database.ts';

/** How a transaction has changed the number of a tenant's dead letters. */
export type CountChanges = ReadonlyMap<string, number>;

export interface ChangedCount {
  readonly tenantId: string;
  readonly before: number;
  readonly after: number;
  readonly maxDlqSize: number;
}

/**
 * Moves the counts, at the end of the transaction that added and removed the rows: taken in one order, its locks wait
 * for nothing but the commit. The operator's own tenant is counted against no quota and left out.
 */
export async function moveDeadLetterCounts(sql: Sql, changes: CountChanges): Promise<ChangedCount[]> {
  const moved = [...changes].filter(([tenantId, by]) => by !== 0 && tenantId !== OPERATOR_TENANT_ID);
  if (moved.length === 0) return [];
  return sql<ChangedCount[]>`
    with given as (
      select * from unnest(
        ${moved.map(([tenantId]) => tenantId)}::text[], ${moved.map(([, by]) => by)}::bigint[]
      ) as given (tenant_id, by)
    ), written as (
      insert into dead_letter_counts as c (tenant_id, count)
      select tenant_id, by from given order by tenant_id
      on conflict (tenant_id) do update set count = c.count + excluded.count
      returning tenant_id, count
    )
    select tenant_id, count - by as before, count as after, max_dlq_size
    from written join given using (tenant_id) join quotas using (tenant_id)`;
}

/**
 * Counts the rows anew: what partitions took with them when they were dropped, and what a recorder of another release
 * wrote, is in no count. Transactions that move counts wait, so that none is counted twice or not at all.
 */
export async function recountDeadLetters(sql: PoolSql): Promise<void> {
  await inTransaction(sql, async (transaction) => {
    await transaction`lock table dead_letter_counts in share row exclusive mode`;
    await transaction`
      with counted as (
        select tenant_id, count(*) as count from dead_letters
        where tenant_id <> ${OPERATOR_TENANT_ID} group by tenant_id
      ),
      gone as (
        delete from dead_letter_counts where tenant_id not in (select tenant_id from counted)
      )
      insert into dead_letter_counts as c (tenant_id, count)
      select tenant_id, count from counted
      on conflict (tenant_id) do update set count = excluded.count where c.count <> excluded.count`;
  });
}

/** Of the tenants that have filled half of their quota: others are far from being refused for it. */
export async function deadLetterCounts(sql: Sql): Promise<Map<string, number>> {
  const rows = await sql<{ tenantId: string; count: number }[]>`
    select tenant_id, count from dead_letter_counts join quotas using (tenant_id)
    where count * 2 >= max_dlq_size and count > 0 and tenant_id <> ${OPERATOR_TENANT_ID}`;
  return new Map(rows.map((row) => [row.tenantId, row.count]));
}

export interface TenantDeadLetters {
  readonly tenantId: string;
  readonly count: number;
}

/** Those that have any, most first; of one tenant when it is named. `total` is over all of them. */
export async function countDeadLettersByTenant(
  sql: Sql,
  tenantId: string | null,
  limit: number,
): Promise<{ rows: TenantDeadLetters[]; total: number }> {
  const rows = await sql<(TenantDeadLetters & { total: number })[]>`
    select tenant_id, count, (sum(count) over ())::int8 as total from dead_letter_counts
    where count > 0 and (${tenantId}::text is null or tenant_id = ${tenantId})
    order by count desc, tenant_id limit ${limit}`;
  return { rows: rows.map(({ tenantId, count }) => ({ tenantId, count })), total: rows[0]?.total ?? 0 };
}

export async function deadLetterCount(sql: Sql, tenantId: string): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count from dead_letter_counts where tenant_id = ${tenantId}`;
  return row?.count ?? 0;
}
