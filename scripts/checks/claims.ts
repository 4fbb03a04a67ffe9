import { exists, readText } from './repository.ts';

/** What a row of a table says of a test. */
export interface Claim {
  readonly row: string;
  readonly path: string;
  readonly test: string;
}

/** The cells of the rows of a document's tables, without their heads. */
export function rowsOf(markdown: string): string[][] {
  const lines = [...markdown.matchAll(/^\| (?!---)(.+) \|$(?!\n\|---)/gm)];
  return lines.map((line) => line[1]!.split(' | '));
}

/** Of cells that hold `path` "test name", any number of them. */
export const claimsIn = (row: string, cell: string): Claim[] =>
  [...cell.matchAll(/`([^`]+)` "([^"]+)"/g)].map(([, path = '', test = '']) => ({ row, path, test }));

/** As it stands in the code: quotes may be escaped there. */
export const isThere = ({ path, test }: Claim): boolean =>
  exists(path) && readText(path).replaceAll("\\'", "'").includes(test);
