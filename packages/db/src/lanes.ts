import { takeChange } from './changes.ts';
import { inTransaction, type Sql } from './database.ts';

export type LanesChange =
  | {
      readonly kind: 'changed';
      readonly change: number;
      readonly lanes: number[];
      readonly drainingLanes: number[];
    }
  /** Each lane needs one concurrent delivery, those that still drain included. */
  | { readonly kind: 'over_cap'; readonly lanes: number; readonly cap: number };

/**
 * Pins a tenant to other lanes. Those it leaves drain: they keep their share of the cap until `closeLane`. Null when
 * there is no such tenant.
 */
export async function setLanes(
  sql: Sql,
  tenantId: string,
  lanes: readonly number[],
): Promise<LanesChange | null> {
  return inTransaction(sql, async (transaction): Promise<LanesChange | null> => {
    const change = await takeChange(transaction);
    const [tenant] = await transaction<{ before: number[]; cap: number }[]>`
      select lanes || draining_lanes as before, max_concurrent_deliveries as cap
      from tenants join quotas using (tenant_id) where tenant_id = ${tenantId}`;
    if (!tenant) return null;
    const drainingLanes = [...new Set(tenant.before)].filter((lane) => !lanes.includes(lane));
    const count = lanes.length + drainingLanes.length;
    if (count > tenant.cap) return { kind: 'over_cap', lanes: count, cap: tenant.cap };
    await transaction`
      update tenants set lanes = ${[...lanes]}::int[], draining_lanes = ${drainingLanes}::int[],
                         lanes_revision = ${change}::bigint
      where tenant_id = ${tenantId}`;
    return { kind: 'changed', change, lanes: [...lanes], drainingLanes };
  });
}

/** A lane that a worker has found empty. */
export interface DrainedLane {
  readonly tenantId: string;
  readonly lane: number;
  /** The change of lanes that the worker knew. */
  readonly lanesRevision: number;
}

/** Ends the draining of a lane, unless the tenant's lanes were changed since. Whether it did. */
export async function closeLane(sql: Sql, drained: DrainedLane): Promise<boolean> {
  const { tenantId, lane, lanesRevision } = drained;
  const asSaid = sql`
    tenant_id = ${tenantId} and lanes_revision = ${lanesRevision}::bigint and ${lane}::int = any(draining_lanes)`;
  // Looked at first: several workers and a crash may say it more than once, and each change makes others wait.
  if ((await sql`select 1 from tenants where ${asSaid}`).length === 0) return false;
  return inTransaction(sql, async (transaction) => {
    // Before the row's lock, as every change does: the other way round two could wait for each other.
    await takeChange(transaction);
    const closed = await transaction`
      update tenants set draining_lanes = array_remove(draining_lanes, ${lane}::int)
      where ${asSaid} returning tenant_id`;
    return closed.length > 0;
  });
}
