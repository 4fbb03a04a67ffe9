import {
  type Actor,
  findTenant,
  insertAuditEntry,
  inTransaction,
  type LanesChange,
  type Sql,
  setLanes,
} from '@posthorn/db';
import { changeOf } from '../../access/redact.ts';

/** A change commits together with its audit row: `actor` is who asked. */
export interface LaneStore {
  /** Null when there is no such tenant. */
  set(tenantId: string, lanes: readonly number[], actor: Actor): Promise<LanesChange | null>;
}

export const openLaneStore = (pool: Sql): LaneStore => ({
  set: (tenantId, lanes, actor) =>
    inTransaction(pool, async (sql) => {
      const before = await findTenant(sql, tenantId);
      const changed = await setLanes(sql, tenantId, lanes);
      if (changed?.kind !== 'changed') return changed;
      await insertAuditEntry(sql, {
        actor,
        action: 'lanes.updated',
        tenantId,
        subject: tenantId,
        ...changeOf({ ...before }, { lanes }),
      });
      return changed;
    }),
});
