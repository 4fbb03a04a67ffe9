import postgres from 'postgres';
import type { Sql } from './database.ts';

/** Who acted: a key and, where a request did, the person it named, its address and its id. */
export interface Actor {
  /** The id of a key or token, or the name of a process of ours. */
  readonly keyId: string;
  /** Whom the caller says he acts for: believed as far as his key is. */
  readonly name: string | null;
  readonly ip: string | null;
  readonly requestId: string | null;
}

/** A process of ours that acts by itself. */
export const processActor = (name: string): Actor => ({ keyId: name, name: null, ip: null, requestId: null });

/** As it is shown by the API: without secrets, sealed or not, and without credentials in URLs. */
export type AuditView = Readonly<Record<string, unknown>>;

export interface AuditEntry {
  readonly actor: Actor;
  /** `tenant.created`, `endpoint.disabled` … */
  readonly action: string;
  /** Null for what belongs to the installation. */
  readonly tenantId: string | null;
  /** The id of what was acted on. */
  readonly subject: string;
  /** What it was; of a change of some fields, those. */
  readonly before?: AuditView | null;
  readonly after?: AuditView | null;
  /** What else there is to say: a reason, a count. */
  readonly detail?: AuditView;
}

/**
 * Belongs into the transaction of what it tells about, and vouches for all of that transaction: what triggers see of a
 * change nobody tells about becomes a row of its own.
 */
export async function insertAuditEntry(sql: Sql, entry: AuditEntry): Promise<void> {
  const { actor, action, tenantId, subject, before, after, detail } = entry;
  const json = (view: AuditView | null | undefined) => (view ? sql.json(snakeCased(view) as never) : null);
  await sql`
    insert into audit_log (actor, actor_name, ip, request_id, action, tenant_id, subject, before, after, detail)
    values (${actor.keyId}, ${actor.name}, ${actor.ip}, ${actor.requestId}, ${action}, ${tenantId}, ${subject},
            ${json(before)}, ${json(after)}, ${json(detail ?? {})})`;
}

/** Named as columns and the API name them; what a field holds is the caller's own and stays as it is. */
const snakeCased = (view: AuditView): AuditView =>
  Object.fromEntries(Object.entries(view).map(([name, value]) => [postgres.fromCamel(name), value]));
