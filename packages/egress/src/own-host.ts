import { type Address, parseAddress } from './parse-address.ts';
import { isHostName, isNameWithin } from './reserved-hosts.ts';

/** Where this system's own API is reached. */
export interface OwnHosts {
  /** Names: these and all beneath them; addresses: in whatever spelling, also as the answer of DNS. */
  hasName(hostname: string, port: number): boolean;
  hasAddress(address: Address, port: number): boolean;
  readonly hasAddresses: boolean;
}

const ANY_PORT = 0;
const HIGHEST_PORT = 65_535;
/** A host without colons, or an address in brackets; then a port, or none. */
const ENTRY = /^(?:\[(?<literal>[^\]]+)\]|(?<bare>[^:[\]]+))(?::(?<port>\d{1,5}))?$/;

/**
 * @param texts `host`, `host:port`, `address`, `address:port` or `[address]:port`; without a port every port is meant.
 * @throws {RangeError} naming what is none of these.
 */
export function parseOwnHosts(texts: readonly string[]): OwnHosts {
  const names = new Map<number, Set<string>>();
  const addresses = new Set<string>();
  for (const text of texts) {
    const { host, port } = splitEntry(text);
    const address = parseAddress(host);
    if (address !== null) {
      addresses.add(addressKey(address, port));
    } else {
      const known = names.get(port) ?? new Set();
      names.set(port, known.add(host));
    }
  }
  const isNamed = (hostname: string, port: number): boolean => {
    const known = names.get(port);
    return known !== undefined && isNameWithin(hostname, known);
  };
  return {
    hasName: (hostname, port) => isNamed(hostname, port) || isNamed(hostname, ANY_PORT),
    hasAddress: (address, port) =>
      addresses.has(addressKey(address, port)) || addresses.has(addressKey(address, ANY_PORT)),
    hasAddresses: addresses.size > 0,
  };
}

function splitEntry(text: string): { readonly host: string; readonly port: number } {
  if (parseAddress(text) !== null) return { host: text, port: ANY_PORT };
  const { literal, bare = '', port = String(ANY_PORT) } = ENTRY.exec(text)?.groups ?? {};
  const host = literal ?? bare.toLowerCase().replace(/\.$/, '');
  const isHost = parseAddress(host) !== null || (literal === undefined && isHostName(host));
  if (!isHost || Number(port) > HIGHEST_PORT) {
    throw new RangeError(`"${text}" is no host, nor a host with a port such as api.example.com:443`);
  }
  return { host, port: Number(port) };
}

const addressKey = ({ family, value }: Address, port: number): string => `${family}/${value}/${port}`;
