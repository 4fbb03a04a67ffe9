import { Resolver } from 'node:dns/promises';

export interface LookupAnswer {
  readonly address: string;
  readonly ttlSeconds: number;
}

/** All addresses of both families, at least one. Rejects with an error whose `code` is one of `node:dns`. */
export type Lookup = (hostname: string) => Promise<readonly LookupAnswer[]>;

export interface DnsLookupOptions {
  /** Patience with one server for the first try; c-ares doubles it for the second. */
  readonly queryTimeoutMs?: number;
  readonly tries?: number;
  /** Patience with one family once the other has answered. */
  readonly otherFamilyMs?: number;
  /** `address` or `address:port`; default: those of the machine. */
  readonly servers?: readonly string[];
}

/** `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53`, `[2001:db8::53]:5353`. */
export function isNameServer(text: string): boolean {
  try {
    new Resolver().setServers([text]);
    return true;
  } catch {
    return false;
  }
}

const TTL = { ttl: true } as const;

/**
 * Asks DNS itself (c-ares) rather than `getaddrinfo`: that blocks one of four threads which files and hashes need too,
 * so a tenant with slow name servers would slow everybody. It also tells the time to live and never reads a search
 * domain or /etc/hosts, which hold private names. Every name has a resolver of its own: in one that they share, an answer
 * that is garbled fails whatever else is asked, and silence to some changes the patience with the rest.
 */
export function createDnsLookup({
  queryTimeoutMs = 1_000,
  tries = 2,
  otherFamilyMs = 2_000,
  servers,
}: DnsLookupOptions = {}): Lookup {
  return async (hostname) => {
    const resolver = new Resolver({ timeout: queryTimeoutMs, tries });
    if (servers !== undefined) resolver.setServers(servers);
    const families = [resolver.resolve4(hostname, TTL), resolver.resolve6(hostname, TTL)] as const;
    let impatience: NodeJS.Timeout | undefined;
    const hurry = (): void => {
      impatience = setTimeout(() => resolver.cancel(), otherFamilyMs);
    };
    Promise.any(families).then(hurry, () => {});
    const [ipv4, ipv6] = await Promise.allSettled(families);
    clearTimeout(impatience);
    const answers: LookupAnswer[] = [];
    for (const family of [ipv4, ipv6]) {
      if (family.status === 'rejected') continue;
      for (const { address, ttl } of family.value) answers.push({ address, ttlSeconds: ttl });
    }
    if (answers.length > 0) return answers;
    throw moreTelling(ipv4, ipv6);
  };
}

/** A family without records says nothing when the other could not be asked. */
function moreTelling(ipv4: PromiseSettledResult<unknown>, ipv6: PromiseSettledResult<unknown>): unknown {
  const reasons = [ipv4, ipv6].flatMap((family) => (family.status === 'rejected' ? [family.reason] : []));
  return reasons.find((reason) => reason?.code !== 'ENODATA') ?? reasons[0] ?? { code: 'ENODATA' };
}
