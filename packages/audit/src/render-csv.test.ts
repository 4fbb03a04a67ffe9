import fc from 'fast-check';
import { expect, test } from 'vitest';
import { renderCsvLine } from './render-csv.ts';

/** Any characters; making the unit `binary` of fast-check takes seconds. */
const anyText = fc.string({
  unit: fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code)),
});

test('cells are quoted, and quotes doubled', () => {
  expect(renderCsvLine([1, 'a "b", c', null, { d: 'e' }])).toBe('"1","a ""b"", c","","{""d"":""e""}"\r\n');
});

test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1'])('%j is no formula to a spreadsheet', (text) => {
  expect(renderCsvLine([text])).toBe(`"'${text}"\r\n`);
});

test('any text stays one cell, and no cell begins a formula', () => {
  fc.assert(
    fc.property(fc.array(anyText, { minLength: 1, maxLength: 4 }), (cells) => {
      const line = renderCsvLine(cells);
      const inner = [...line.slice(0, -2).matchAll(/"((?:[^"]|"")*)"(?:,|$)/g)].map(([, cell]) => cell!);
      expect(inner.map((cell) => cell.replaceAll('""', '"').replace(/^'(?=[=+\-@\t\r])/, ''))).toEqual(cells);
      for (const cell of inner) expect(cell).not.toMatch(/^[=+\-@\t\r]/);
    }),
  );
});
