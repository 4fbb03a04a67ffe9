import { exportEntries } from '@posthorn/audit';
import { pageAuditLog, readAuditHead } from '@posthorn/db';
import type { Command } from './read-command.ts';
import type { Session } from './session.ts';

type Wish = Extract<Command, { name: 'audit export' }>;

export async function exportAuditLog(
  { database: { sql }, terminal }: Session,
  { format, tenantId, action, since, until }: Wish,
): Promise<number> {
  const { seq: end } = await readAuditHead(sql);
  const filter = { tenantId, action, since, until };
  const lines = exportEntries((of, page) => pageAuditLog(sql, of, page), {
    filter,
    format,
    reader: 'operator',
    end,
  });
  for await (const text of lines) await terminal.print(text);
  return 0;
}
