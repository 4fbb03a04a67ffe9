import { Readable } from 'node:stream';
import { type AuditReader, exportEntries, viewAuditEntry } from '@posthorn/audit';
import type { AuditFilter, AuditRow } from '@posthorn/db';
import { unknownTenant } from '../../access/authorise.ts';
import { type Caller, mayActFor } from '../../access/caller.ts';
import type { App, AppParts } from '../../http/app.ts';
import { cutPage, DEFAULT_PAGE, decodeCursor } from '../../http/cursor.ts';
import { operation } from '../../http/operation.ts';
import { invalidRequest, isProblem, sendProblem } from '../../http/problem.ts';
import { normaliseTime } from '../../http/read-time.ts';
import { AuditExport, AuditHead, AuditPage, AuditQuery, ExportQuery } from './schema.ts';

/** A reader who takes nothing for this long is let go. */
const EXPORT_STALL_MS = 60_000;

export function auditRoutes(app: App, parts: AppParts): void {
  listAuditLog(app, parts);
  getAuditHead(app, parts);
  exportRoute(app, parts);
}

function listAuditLog(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'listAuditLog',
    tag: 'Audit log',
    summary: 'List the audit log',
    description:
      'Who changed what, the latest first: one entry for each change of configuration, keys, replays and dead letters, committed together with it. Secrets are redacted. All filters that are given hold. A tenant’s key sees its tenant’s entries, and no name or address of an operator.',
    access: { scope: 'manage' },
    querystring: AuditQuery,
    answers: { 200: AuditPage },
    problems: ['tenant_not_found'],
  });
  app.get('/audit-log', declared, async (request, reply) => {
    const { query, caller } = request;
    if (query.tenant_id !== undefined && !mayActFor(caller, query.tenant_id))
      return sendProblem(reply, unknownTenant(query.tenant_id));
    const filter = toFilter(caller, query);
    const of = { of: 'audit-log', tenantId: filter.tenantId };
    const cursor = decodeCursor(query.cursor, of);
    if (cursor !== null && isProblem(cursor)) return sendProblem(reply, cursor);
    if (cursor !== null && !SEQ.test(cursor.at[0] ?? '')) return sendProblem(reply, INVALID_CURSOR);
    const limit = Number(query.limit ?? DEFAULT_PAGE);
    const rows = await parts.store.auditLog.page(filter, {
      limit: limit + 1,
      order: cursor?.direction === 'prev' ? 'oldest' : 'newest',
      beyond: cursor && Number(cursor.at[0]),
    });
    const keyOf = ({ seq }: AuditRow) => [String(seq)];
    const page = cutPage({ path: '/audit-log', query, ...of, cursor, limit, keyOf }, rows);
    const data = page.rows.map((row) => viewAuditEntry(row, readerOf(caller)));
    return reply.send({ data, next: page.next, prev: page.prev });
  });
}

const SEQ = /^\d{1,15}$/;
const INVALID_CURSOR = invalidRequest([
  { pointer: '?cursor', detail: 'is not a cursor of this list: start without one' },
]);

type Filters = Readonly<
  Partial<Record<'tenant_id' | 'action' | 'actor' | 'subject' | 'since' | 'until', string>>
>;

const readerOf = (caller: Caller): AuditReader => (caller.tenantId === null ? 'operator' : 'tenant');

const toFilter = (caller: Caller, query: Filters): AuditFilter => ({
  tenantId: caller.tenantId ?? query.tenant_id ?? null,
  action: query.action,
  actor: query.actor,
  subject: query.subject,
  since: normaliseTime(query.since) ?? undefined,
  until: normaliseTime(query.until) ?? undefined,
});

function getAuditHead(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getAuditHead',
    tag: 'Audit log',
    summary: 'Get the end of the audit log’s chain',
    description:
      'Keep it where whoever can write to the database cannot: `posthorn audit verify --pin <seq>:<hash>` finds by it that the log was cut or written anew.',
    access: { scope: 'manage', callers: ['operator'] },
    answers: { 200: AuditHead },
  });
  app.get('/audit-log/head', declared, async (_request, reply) =>
    reply.send(await parts.store.auditLog.head()),
  );
}

function exportRoute(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'exportAuditLog',
    tag: 'Audit log',
    summary: 'Export the audit log',
    description:
      'The oldest first, one entry a line, up to where the log ends now. In CSV, text that a spreadsheet would take for a formula is led by an apostrophe.',
    access: { scope: 'manage' },
    querystring: ExportQuery,
    answers: { 200: AuditExport },
    produces: { 200: 'application/x-ndjson' },
    problems: ['tenant_not_found'],
  });
  app.get('/audit-log/export', declared, async (request, reply) => {
    const { query, caller } = request;
    if (query.tenant_id !== undefined && !mayActFor(caller, query.tenant_id))
      return sendProblem(reply, unknownTenant(query.tenant_id));
    const format = query.format ?? 'ndjson';
    const { auditLog } = parts.store;
    const { seq: end } = await auditLog.head();
    const wish = { filter: toFilter(caller, query), format, reader: readerOf(caller), end };
    const lines = Readable.from(exportEntries(auditLog.page, wish), { objectMode: false });
    reply.raw.setTimeout(EXPORT_STALL_MS, () => lines.destroy(new Error('the reader stalled')));
    reply.type(format === 'csv' ? 'text/csv; charset=utf-8; header=present' : 'application/x-ndjson');
    reply.header('content-disposition', `attachment; filename="audit-log.${format}"`);
    return reply.send(lines as never);
  });
}
