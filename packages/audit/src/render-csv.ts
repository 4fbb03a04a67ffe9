/** What a spreadsheet may take for the beginning of a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/**
 * One line of CSV (RFC 4180), each cell in quotes. Text that a spreadsheet would run is led by an apostrophe: what
 * stands in the log is written by callers.
 */
export const renderCsvLine = (cells: readonly unknown[]): string => `${cells.map(renderCell).join(',')}\r\n`;

function renderCell(value: unknown): string {
  if (value === null || value === undefined) return '""';
  if (typeof value === 'number') return `"${value}"`;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}
