import {
  type Actor,
  type CancellationResult,
  type CancellationScope,
  insertAuditEntry,
  insertCancellation,
  inTransaction,
  type Sql,
} from '@posthorn/db';

/** A change commits together with its audit row: `actor` is who asked. */
export interface CancellationStore {
  /** Null when there is no such tenant. */
  insert(tenantId: string, scope: CancellationScope, actor: Actor): Promise<CancellationResult | null>;
}

export const openCancellationStore = (pool: Sql): CancellationStore => ({
  insert: (tenantId, scope, actor) =>
    inTransaction(pool, async (sql) => {
      const inserted = await insertCancellation(sql, tenantId, scope);
      if (inserted?.kind !== 'cancelled') return inserted;
      const subject = scope.eventId ?? scope.endpointId ?? tenantId;
      await insertAuditEntry(sql, { actor, action: 'deliveries.cancelled', tenantId, subject });
      return inserted;
    }),
});
