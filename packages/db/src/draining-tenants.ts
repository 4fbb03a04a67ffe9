import type { Sql } from './database.ts';

export interface DrainingTenant {
  readonly tenantId: string;
  readonly drainingLanes: number[];
  readonly lanesRevision: number;
}

/** More than change their lanes at a time; the rest has its turn when these have drained. */
const MAX_DRAINING_TENANTS = 1_000;

/** The tenants with lanes that still drain, the oldest change first. */
export async function listDrainingTenants(sql: Sql): Promise<DrainingTenant[]> {
  const rows = await sql<{ tenantId: string; drainingLanes: number[]; lanesRevision: string }[]>`
    select tenant_id, draining_lanes, lanes_revision from tenants
    where draining_lanes <> '{}' order by lanes_revision limit ${MAX_DRAINING_TENANTS}`;
  return rows.map((row) => ({ ...row, lanesRevision: Number(row.lanesRevision) }));
}
