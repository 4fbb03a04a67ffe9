import {
  type Actor,
  type AuditView,
  databaseTime,
  insertAuditEntry,
  inTransaction,
  revokePortalTokens,
  type Sql,
} from '@posthorn/db';

export interface PortalTokenStore {
  /** Notes that a token is issued; its beginning is by the clock that revocations are by. */
  issue(tenantId: string, tokenId: string, grant: AuditView, actor: Actor): Promise<Date>;
  /** From when on tokens are good; null for a tenant that there is not. */
  revoke(tenantId: string, actor: Actor): Promise<Date | null>;
}

export function openPortalTokenStore(pool: Sql): PortalTokenStore {
  return {
    issue: (tenantId, tokenId, after, actor) =>
      inTransaction(pool, async (sql) => {
        await insertAuditEntry(sql, {
          actor,
          action: 'portal_token.issued',
          tenantId,
          subject: tokenId,
          after,
        });
        return databaseTime(sql);
      }),
    revoke: (tenantId, actor) =>
      inTransaction(pool, async (sql) => {
        const notBefore = await revokePortalTokens(sql, tenantId);
        if (notBefore === null) return null;
        const after = { notBefore };
        await insertAuditEntry(sql, {
          actor,
          action: 'portal_tokens.revoked',
          tenantId,
          subject: tenantId,
          after,
        });
        return notBefore;
      }),
  };
}
