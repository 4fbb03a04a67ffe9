import type { Sql } from './database.ts';

export interface AuditEntry {
  /** The key or process that acted. */
  readonly actor: string;
  /** `tenant.created`, `endpoint.disabled` … */
  readonly action: string;
  readonly tenantId: string | null;
  /** The id of what was acted on. */
  readonly subject: string;
  readonly detail?: Readonly<Record<string, string | number | boolean | null>>;
}

/** Belongs into the transaction of what it tells about. */
export async function insertAuditEntry(sql: Sql, entry: AuditEntry): Promise<void> {
  await sql`
    insert into audit_log (actor, action, tenant_id, subject, detail)
    values (${entry.actor}, ${entry.action}, ${entry.tenantId}, ${entry.subject}, ${sql.json(entry.detail ?? {})})`;
}
