import { DEFAULT_DENIED_PORTS } from './denied-ports.ts';

export type PortRule = (port: number) => boolean;

const HIGHEST_PORT = 65_535;
const ENTRY = /^(\d{1,5})(?:-(\d{1,5}))?$/;

/**
 * Which ports may be called. With nothing listed: all but those on which something else than HTTP listens. A listed port
 * is allowed whatever it is; a range such as `8000-8999` leaves out those that listen to something else.
 * @throws {RangeError} naming what is neither a port nor a range.
 */
export function parsePortRule(
  texts: readonly string[],
  deniedPorts: readonly number[] = DEFAULT_DENIED_PORTS,
): PortRule {
  const denied = new Set(deniedPorts);
  const isPort = (port: number): boolean => port >= 1 && port <= HIGHEST_PORT;
  if (texts.length === 0) return (port) => isPort(port) && !denied.has(port);
  const ranges = texts.map(parseRange);
  return (port) =>
    ranges.some(({ first, last }) => port >= first && port <= last && (first === last || !denied.has(port)));
}

function parseRange(text: string): { readonly first: number; readonly last: number } {
  const [, from, to = from] = ENTRY.exec(text) ?? [];
  const range = { first: Number(from), last: Number(to) };
  if (from === undefined || range.first < 1 || range.last > HIGHEST_PORT || range.first > range.last) {
    throw new RangeError(`"${text}" is no port, nor a range of ports such as 8000-8999`);
  }
  return range;
}
