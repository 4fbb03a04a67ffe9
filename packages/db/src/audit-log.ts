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

export interface AuditRow {
  /** Its place in the chain. */
  readonly seq: number;
  readonly at: Date;
  readonly actor: string;
  readonly actorName: string | null;
  readonly ip: string | null;
  readonly requestId: string | null;
  readonly action: string;
  readonly tenantId: string | null;
  readonly subject: string;
  readonly before: AuditView | null;
  readonly after: AuditView | null;
  readonly detail: AuditView;
  /** Hex. */
  readonly hash: string;
  /** Whether the key that acted is one of the tenant's own. */
  readonly isOfTenant: boolean;
}

export interface AuditFilter {
  /** Null for those of all tenants and of the installation. */
  readonly tenantId: string | null;
  /** `endpoint.updated`, or all of one noun: `endpoint.*`. */
  readonly action?: string | undefined;
  /** The id of a key, a token or a process. */
  readonly actor?: string | undefined;
  readonly subject?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

export interface AuditPage {
  readonly limit: number;
  readonly order: 'newest' | 'oldest';
  /** Exclusive; null from the end at which the order begins. */
  readonly beyond: number | null;
}

/** In the order of the chain. */
export async function pageAuditLog(
  sql: Sql,
  filter: AuditFilter,
  { limit, order, beyond }: AuditPage,
): Promise<AuditRow[]> {
  const isNewest = order === 'newest';
  const start = beyond ?? (isNewest ? Number.MAX_SAFE_INTEGER : 0);
  return sql<AuditRow[]>`
    select seq, at, actor, actor_name, ip, request_id, action, tenant_id, subject, before, after, detail,
           encode(hash, 'hex') as hash,
           exists (select 1 from api_keys k where k.key_id = log.actor and k.tenant_id = log.tenant_id) as is_of_tenant
    from audit_log log
    where seq ${isNewest ? sql`<` : sql`>`} ${start}::bigint ${conditions(sql, filter)}
    order by seq ${isNewest ? sql`desc` : sql`asc`} limit ${limit}`;
}

function conditions(sql: Sql, { tenantId, action, actor, subject, since, until }: AuditFilter) {
  const noun = action?.endsWith('.*') ? action.slice(0, -1) : null;
  const given = [
    tenantId === null ? null : sql`and tenant_id = ${tenantId}`,
    noun === null ? null : sql`and starts_with(action, ${noun})`,
    action === undefined || noun !== null ? null : sql`and action = ${action}`,
    actor === undefined ? null : sql`and actor = ${actor}`,
    subject === undefined ? null : sql`and subject = ${subject}`,
    since === undefined ? null : sql`and at >= ${since}::timestamptz`,
    until === undefined ? null : sql`and at < ${until}::timestamptz`,
  ];
  // One by one: the driver takes a list of fragments for a list of values.
  return given.reduce((all, condition) => (condition === null ? all : sql`${all} ${condition}`), sql``);
}
