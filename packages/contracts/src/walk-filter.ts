/** The way through a filter that is compiled: every size is bounded here, and every fault noted with its place. */

/** Where (RFC 6901 pointer into the filter) and what. */
export interface FilterFault {
  readonly pointer: string;
  readonly detail: string;
}

/** Objects and arrays inside one another, the filter itself counted. */
export const MAX_FILTER_DEPTH = 16;
/** Names, operators and values of lists, all together. */
export const MAX_FILTER_NODES = 256;
/** Of one name or text. */
export const MAX_FILTER_TEXT_CHARS = 512;
/** Of all names and texts together. */
export const MAX_FILTER_CHARS = 8_192;

/** What one compilation has met so far. */
export interface Compilation {
  readonly faults: FilterFault[];
  nodes: number;
  chars: number;
}

export interface Spot {
  readonly pointer: string;
  readonly depth: number;
}

export const beginCompilation = (): Compilation => ({ faults: [], nodes: 0, chars: 0 });

type Entry = readonly [key: string, value: unknown, below: Spot];

/** The members of an object that is not empty, as far as the bounds allow. */
export function entriesOf(compilation: Compilation, node: unknown, spot: Spot): Entry[] {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) {
    noteFault(compilation, spot, 'must be an object');
    return [];
  }
  const entries = Object.entries(node);
  if (entries.length === 0) noteFault(compilation, spot, 'is empty: it would say nothing');
  return descend(compilation, entries, spot);
}

export function alternativesOf(
  compilation: Compilation,
  node: unknown,
  spot: Spot,
): Array<readonly [value: unknown, at: Spot]> {
  if (!Array.isArray(node) || node.length === 0) {
    noteFault(compilation, spot, 'must be a list that is not empty');
    return [];
  }
  return descend(compilation, Object.entries(node), spot).map(([, value, at]) => [value, at]);
}

function descend(
  compilation: Compilation,
  entries: ReadonlyArray<[string, unknown]>,
  { pointer, depth }: Spot,
): Entry[] {
  if (depth > MAX_FILTER_DEPTH) {
    noteFault(compilation, { pointer, depth }, `is more than ${MAX_FILTER_DEPTH} levels deep`);
    return [];
  }
  const taken: Entry[] = [];
  for (const [key, value] of entries) {
    const below = { pointer: `${pointer}/${escapeKey(key)}`, depth: depth + 1 };
    if (!spend(compilation, below)) break;
    if (checkText(compilation, key, below)) taken.push([key, value, below]);
  }
  return taken;
}

/** Takes one of the nodes that a filter may have; the one beyond them is a fault, once. */
function spend(compilation: Compilation, spot: Spot): boolean {
  compilation.nodes += 1;
  if (compilation.nodes === MAX_FILTER_NODES + 1)
    noteFault(
      compilation,
      spot,
      `is beyond the ${MAX_FILTER_NODES} names, operators and values of lists of a filter`,
    );
  return compilation.nodes <= MAX_FILTER_NODES;
}

/** Text that Postgres can keep: without NUL and halves of surrogate pairs, and short. */
export function checkText(compilation: Compilation, text: string, spot: Spot): boolean {
  const before = compilation.chars;
  compilation.chars += text.length;
  if (text.length > MAX_FILTER_TEXT_CHARS)
    noteFault(compilation, spot, `has ${text.length} characters, ${MAX_FILTER_TEXT_CHARS} are allowed`);
  else if (text.includes('\0') || !text.isWellFormed())
    noteFault(compilation, spot, 'has a NUL or half of a surrogate pair');
  else if (before <= MAX_FILTER_CHARS && compilation.chars > MAX_FILTER_CHARS)
    noteFault(compilation, spot, `is beyond the ${MAX_FILTER_CHARS} characters of a filter`);
  else return true;
  return false;
}

const escapeKey = (key: string): string =>
  key.slice(0, MAX_FILTER_TEXT_CHARS).replaceAll('~', '~0').replaceAll('/', '~1');

export function noteFault({ faults }: Compilation, { pointer }: Spot, detail: string): void {
  faults.push({ pointer, detail });
}
