import {
  type Actor,
  type ExpungedEvent,
  type ExpungeRow,
  expungeEvent,
  insertAuditEntry,
  inTransaction,
  listExpunges,
  type Sql,
  startExpunge,
} from '@posthorn/db';

export interface ExpungeStore {
  /** Null for one that is not recorded, and for another tenant's. */
  event(tenantId: string, eventId: string, actor: Actor): Promise<ExpungedEvent | null>;
  tenant(tenantId: string, expungeId: string, actor: Actor): Promise<ExpungeRow>;
  list(tenantId: string, limit: number): Promise<ExpungeRow[]>;
}

export const openExpungeStore = (pool: Sql): ExpungeStore => ({
  event: (tenantId, eventId, actor) =>
    inTransaction(pool, async (sql) => {
      const expunged = await expungeEvent(sql, tenantId, eventId);
      if (expunged === null) return null;
      await insertAuditEntry(sql, { actor, action: 'event.payload_expunged', tenantId, subject: eventId });
      return expunged;
    }),
  tenant: (tenantId, expungeId, actor) =>
    inTransaction(pool, async (sql) => {
      const started = await startExpunge(sql, tenantId, expungeId);
      const { before } = started;
      const subject = started.expungeId;
      const detail = { before: before.toISOString() };
      await insertAuditEntry(sql, { actor, action: 'tenant.payloads_expunged', tenantId, subject, detail });
      return started;
    }),
  list: (tenantId, limit) => listExpunges(pool, tenantId, limit),
});
