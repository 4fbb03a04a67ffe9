import { Readable } from 'node:stream';
import type { AuditFilter, AuditRow } from '@posthorn/db';
import { renderCsvLine } from './render-csv.ts';
import { viewAuditEntry } from './schema.ts';
import type { AuditStore } from './store.ts';

/** Entries held at once, whatever the export's length. */
const CHUNK = 500;

export interface ExportRequest {
  readonly filter: AuditFilter;
  readonly format: 'ndjson' | 'csv';
  readonly isTenants: boolean;
  /** The last entry: what is added meanwhile would let it run for ever. */
  readonly end: number;
}

/** Read as fast as it is sent, chunk by chunk. */
export const exportAuditLog = (store: AuditStore, request: ExportRequest): Readable =>
  Readable.from(renderLines(store, request), { objectMode: false });

async function* renderLines(
  store: AuditStore,
  { filter, format, isTenants, end }: ExportRequest,
): AsyncGenerator<string> {
  const render = (row: AuditRow): string => {
    const entry = viewAuditEntry(row, isTenants);
    return format === 'csv' ? renderCsvLine(Object.values(entry)) : `${JSON.stringify(entry)}\n`;
  };
  if (format === 'csv') yield renderCsvLine(COLUMNS);
  for (let beyond = 0, more = true; more; ) {
    const rows = await store.page(filter, { limit: CHUNK, order: 'oldest', beyond });
    const meant = rows.filter(({ seq }) => seq <= end);
    if (meant.length > 0) yield meant.map(render).join('');
    more = meant.length === CHUNK;
    beyond = rows.at(-1)?.seq ?? end;
  }
}

/** In the order in which `viewAuditEntry` has them. */
const COLUMNS = [
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
] as const;
