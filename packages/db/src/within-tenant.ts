import { inTransaction, type PoolSql, type Sql } from './database.ts';

/** Instead of a tenant: row security lets rows of all tenants through. */
export const EVERY_TENANT = '*';

/** False for the owner of the tables and for superusers, who see all rows whatever was set. */
export async function isHeldByRowSecurity(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ isHeld: boolean }[]>`select row_security_active('endpoints') as is_held`;
  return row!.isHeld;
}

/**
 * Asks Postgres in the name of one tenant: in a transaction of its own, in which row security shows and takes the rows
 * of that tenant alone, whatever the question says. The setting ends with the transaction, so that a connection goes back
 * to the pool as it came.
 */
export function withinTenant<T>(pool: PoolSql, tenantId: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  if (tenantId === EVERY_TENANT || tenantId === '') throw new Error(`"${tenantId}" is not a tenant`);
  return inTransaction(pool, (sql) => {
    // Sent ahead of the first question, and not waited for: they arrive together, in this order.
    void sql`select set_config('posthorn.tenant', ${tenantId}, true)`.execute();
    return work(sql);
  });
}
