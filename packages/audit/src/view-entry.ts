import type { AuditRow, AuditView } from '@posthorn/db';

/** An entry of the audit log as it is shown and exported, in the order of its columns. */
export interface AuditEntryView {
  readonly seq: number;
  readonly at: string;
  readonly actor: string;
  readonly actor_name: string | null;
  readonly ip: string | null;
  readonly request_id: string | null;
  readonly action: string;
  readonly tenant_id: string | null;
  readonly subject: string;
  readonly before: AuditView | null;
  readonly after: AuditView | null;
  readonly detail: AuditView;
  readonly hash: string;
}

export const AUDIT_COLUMNS = [
  'seq',
  'at',
  'actor',
  'actor_name',
  'ip',
  'request_id',
  'action',
  'tenant_id',
  'subject',
  'before',
  'after',
  'detail',
  'hash',
] as const satisfies readonly (keyof AuditEntryView)[];

/** `tenant`: to a tenant an operator has no name and no address. */
export type AuditReader = 'operator' | 'tenant';

export function viewAuditEntry(row: AuditRow, reader: AuditReader): AuditEntryView {
  const isHidden = reader === 'tenant' && !row.isOfTenant && !row.actor.startsWith('ptk_');
  return {
    seq: row.seq,
    at: row.at.toISOString(),
    actor: isHidden ? 'operator' : row.actor,
    actor_name: isHidden ? null : row.actorName,
    ip: isHidden ? null : row.ip,
    request_id: isHidden ? null : row.requestId,
    action: row.action,
    tenant_id: row.tenantId,
    subject: row.subject,
    before: row.before,
    after: row.after,
    detail: row.detail,
    hash: row.hash,
  };
}
