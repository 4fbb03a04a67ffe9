import type { AuditFilter, AuditPage, AuditRow } from '@posthorn/db';
import { renderCsvLine } from './render-csv.ts';
import { AUDIT_COLUMNS, type AuditReader, viewAuditEntry } from './view-entry.ts';

/** Entries held at once, whatever the export's length. */
const CHUNK = 500;

export const EXPORT_FORMATS = ['ndjson', 'csv'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportRequest {
  readonly filter: AuditFilter;
  readonly format: ExportFormat;
  readonly reader: AuditReader;
  /** The last entry: what is added meanwhile would let it run for ever. */
  readonly end: number;
}

type ReadPage = (filter: AuditFilter, page: AuditPage) => Promise<AuditRow[]>;

/** Lines in the order of the chain, read chunk by chunk as fast as they are taken. */
export async function* exportEntries(
  readPage: ReadPage,
  { filter, format, reader, end }: ExportRequest,
): AsyncGenerator<string> {
  const render = (row: AuditRow): string => {
    const entry = viewAuditEntry(row, reader);
    return format === 'csv'
      ? renderCsvLine(AUDIT_COLUMNS.map((column) => entry[column]))
      : `${JSON.stringify(entry)}\n`;
  };
  if (format === 'csv') yield renderCsvLine(AUDIT_COLUMNS);
  for (let beyond = 0, more = true; more; ) {
    const rows = await readPage(filter, { limit: CHUNK, order: 'oldest', beyond });
    const meant = rows.filter(({ seq }) => seq <= end);
    if (meant.length > 0) yield meant.map(render).join('');
    more = meant.length === CHUNK;
    beyond = rows.at(-1)?.seq ?? end;
  }
}
