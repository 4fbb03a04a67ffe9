import type { AuditPage, AuditRow } from '@posthorn/db';
import { expect, test } from 'vitest';
import { type ExportRequest, exportEntries } from './export-entries.ts';

const row = (seq: number, over: Partial<AuditRow> = {}): AuditRow => ({
  seq,
  at: new Date(seq),
  actor: 'key_1',
  actorName: '=cmd()',
  ip: '192.0.2.1',
  requestId: 'req_1',
  action: 'quotas.updated',
  tenantId: 'acme',
  subject: 'acme',
  before: { max_webhooks: 1 },
  after: { max_webhooks: 2 },
  detail: {},
  hash: 'ab',
  isOfTenant: false,
  ...over,
});

async function run(rows: readonly AuditRow[], over: Partial<ExportRequest> = {}) {
  const asked: AuditPage[] = [];
  const readPage = async (_filter: unknown, page: AuditPage) => {
    asked.push(page);
    return rows.filter(({ seq }) => seq > page.beyond!).slice(0, page.limit);
  };
  const request = { filter: { tenantId: null }, format: 'ndjson', reader: 'operator', end: 10_000 } as const;
  const parts: string[] = [];
  for await (const part of exportEntries(readPage, { ...request, ...over })) parts.push(part);
  return { parts, lines: parts.join('').split(/\r?\n/).slice(0, -1), asked };
}

const rowsTo = (end: number) => Array.from({ length: end }, (_, i) => row(i + 1));

test('all entries are read in chunks, up to where the log ended', async () => {
  const { lines, parts } = await run(rowsTo(1_300), { end: 1_200 });
  expect(lines.map((line) => JSON.parse(line).seq)).toEqual(rowsTo(1_200).map(({ seq }) => seq));
  expect(parts).toHaveLength(3);
});

test('an empty log, and one that ends with a chunk, end the export', async () => {
  expect((await run([])).lines).toEqual([]);
  expect((await run(rowsTo(500))).lines).toHaveLength(500);
});

test('in CSV every line has the columns of the first, and no cell is a formula', async () => {
  const { lines } = await run(rowsTo(1), { format: 'csv' });
  expect(lines).toEqual([
    '"seq","at","actor","actor_name","ip","request_id","action","tenant_id","subject","before","after","detail","hash"',
    '"1","1970-01-01T00:00:00.001Z","key_1","\'=cmd()","192.0.2.1","req_1","quotas.updated","acme","acme","{""max_webhooks"":1}","{""max_webhooks"":2}","{}","ab"',
  ]);
});

test('a tenant sees who of its own acted, and of all others that an operator did', async () => {
  const rows = [
    row(1),
    row(2, { isOfTenant: true }),
    row(3, { actor: 'ptk_1' }),
    row(4, { actor: 'sql:root' }),
  ];
  const { lines } = await run(rows, { reader: 'tenant' });
  const seen = lines
    .map((line) => JSON.parse(line))
    .map(({ actor, ip, actor_name }) => [actor, ip, actor_name]);
  expect(seen).toEqual([
    ['operator', null, null],
    ['key_1', '192.0.2.1', '=cmd()'],
    ['ptk_1', '192.0.2.1', '=cmd()'],
    ['operator', null, null],
  ]);
});
