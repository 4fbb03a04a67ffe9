import { Readable } from 'node:stream';
import { type AuditReader, exportEntries, viewAuditEntry } from '@posthorn/audit';
import type { AuditFilter, AuditRow } from '@posthorn/db';
import { keepActing } from '../../access/act-within.ts';
import type { Caller } from '../../access/caller.ts';
import { type ListOwner, tenantOfList } from '../../access/tenant-of.ts';
import type { App, AppParts } from '../../http/app.ts';
import { timeSpan } from '../../http/fields.ts';
import { OPERATORS, operation } from '../../http/operation.ts';
import { isProblem, sendProblem } from '../../http/problem.ts';
import { readPage } from '../../http/read-page.ts';
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
    const owner = tenantOfList(caller, query.tenant_id);
    if (isProblem(owner)) return sendProblem(reply, owner);
    const list = {
      path: '/audit-log',
      query,
      ...owner,
      keyOf: ({ seq }: AuditRow) => [String(seq)],
      isKey: ([seq = '']: readonly string[]) => SEQ.test(seq),
    };
    const view = (row: AuditRow) => viewAuditEntry(row, readerOf(caller));
    const page = await readPage(list, view, ({ at, backwards, limit }) =>
      parts.store.auditLog.page(toFilter(owner, query), {
        limit,
        order: backwards ? 'oldest' : 'newest',
        beyond: at && Number(at[0]),
      }),
    );
    return isProblem(page) ? sendProblem(reply, page) : reply.send(page);
  });
}

const SEQ = /^\d{1,15}$/;

type Filters = Readonly<
  Partial<Record<'action' | 'actor' | 'subject' | 'min_created_at' | 'max_created_at', string>>
>;

const readerOf = (caller: Caller): AuditReader => (caller.tenantId === null ? 'operator' : 'tenant');

const toFilter = ({ tenantId }: ListOwner, query: Filters): AuditFilter => ({
  tenantId,
  action: query.action,
  actor: query.actor,
  subject: query.subject,
  ...timeSpan(query),
});

function getAuditHead(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getAuditHead',
    tag: 'Audit log',
    summary: 'Get the end of the audit log’s chain',
    description:
      'Keep it where whoever can write to the database cannot: `posthorn audit verify --pin <seq>:<hash>` finds by it that the log was cut or written anew.',
    access: { scope: 'manage', callers: OPERATORS },
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
  // Of a HEAD everything would be read for nothing.
  app.get('/audit-log/export', { ...declared, exposeHeadRoute: false }, async (request, reply) => {
    const { query, caller } = request;
    const owner = tenantOfList(caller, query.tenant_id);
    if (isProblem(owner)) return sendProblem(reply, owner);
    const format = query.format ?? 'ndjson';
    const { auditLog } = parts.store;
    const { seq: end } = await auditLog.head();
    const wish = { filter: toFilter(owner, query), format, reader: readerOf(caller), end };
    const lines = Readable.from(exportEntries(keepActing(auditLog.page), wish), { objectMode: false });
    reply.raw.setTimeout(EXPORT_STALL_MS, () => lines.destroy(new Error('the reader stalled')));
    reply.type(format === 'csv' ? 'text/csv; charset=utf-8; header=present' : 'application/x-ndjson');
    reply.header('content-disposition', `attachment; filename="audit-log.${format}"`);
    return reply.send(lines as never);
  });
}
