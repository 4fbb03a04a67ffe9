import type { AddressPolicy, BlockReason } from './address-policy.ts';
import { createDnsLookup, type Lookup, type LookupAnswer } from './dns-lookup.ts';
import { LookupShares } from './lookup-shares.ts';
import { parseAddress } from './parse-address.ts';
import { isLocalhost } from './reserved-hosts.ts';
import { within } from './within.ts';

declare const vetted: unique symbol;
/** An address that the policy has allowed. Only a resolver makes these, and only these are dialled. */
export type VettedAddress = string & { readonly [vetted]: true };

export type Resolution =
  | { readonly ok: true; readonly addresses: readonly VettedAddress[] }
  | {
      readonly ok: false;
      readonly failure: 'dns';
      readonly detail: string;
      readonly operatorDetail: string;
    }
  | {
      readonly ok: false;
      readonly failure: 'blocked';
      readonly why: BlockReason;
      readonly detail: string;
      readonly operatorDetail: string;
    };

export type ResolverEvent = {
  readonly kind: 'lookup';
  readonly result: 'ok' | 'dns' | 'blocked';
  readonly ms: number;
};

export interface ResolverOptions {
  readonly policy: AddressPolicy;
  readonly lookup?: Lookup;
  readonly monotonicMs?: () => number;
  /** Names remembered, the least recently used forgotten first. */
  readonly maxEntries?: number;
  readonly minTtlMs?: number;
  readonly maxTtlMs?: number;
  /** How long a name that did not resolve is not asked for again. */
  readonly negativeTtlMs?: number;
  readonly timeoutMs?: number;
  /** Names asked for at the same time; one asker has a quarter of these at most. */
  readonly maxInFlight?: number;
  /** Who waits for one of these places. */
  readonly maxWaiting?: number;
  readonly onEvent?: (event: ResolverEvent) => void;
}

export interface ResolverStats {
  readonly entries: number;
  readonly inFlight: number;
  readonly waiting: number;
  /** Questions answered from memory, since the start. */
  readonly hits: number;
  /** Names forgotten before their time, since the start. */
  readonly evicted: number;
}

export interface Resolver {
  /** Never rejects. @param asker on whose behalf: lookups of one leave room for those of others. */
  resolve(hostname: string, port: number, asker?: string): Promise<Resolution>;
  stats(): ResolverStats;
}

interface Entry {
  readonly resolution: Resolution;
  readonly expiresAtMs: number;
}

/** What a tenant reads of a blocked address: exactly what a closed port says. */
export const CONNECTION_REFUSED = 'connection refused';
const LOCALHOST: readonly LookupAnswer[] = [{ address: '127.0.0.1', ttlSeconds: 60 }];
const DETAIL_BY_CODE: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the host name does not exist',
  ENODATA: 'the host name has no address',
  ETIMEOUT: 'the DNS lookup timed out',
  ETOOMANY: 'the host name has too many addresses',
};
/** All are judged, and who gives more would only have us busy with it. */
const MAX_ANSWERS = 100;
/** More than are ever tried. */
const MAX_KEPT = 8;
const SHARE_OF_ONE = 0.25;
const NOBODY = '';

/** Turns names into addresses that may be dialled. One bad address among a name's answers refuses the name. */
export function createResolver(options: ResolverOptions): Resolver {
  const { policy, monotonicMs = () => performance.now(), onEvent } = options;
  const { minTtlMs = 1_000, maxTtlMs = 60_000, negativeTtlMs = 5_000 } = options;
  const { timeoutMs = 5_000, maxInFlight = 256, maxWaiting = 10_000, lookup = createDnsLookup() } = options;
  const cache = createCache(options.maxEntries ?? 10_000, monotonicMs);
  const inFlight = new Map<string, Promise<Resolution>>();
  const shares = new LookupShares({
    maxLookups: maxInFlight,
    maxPerAsker: Math.max(1, Math.floor(maxInFlight * SHARE_OF_ONE)),
    maxWaiting,
  });

  async function resolve(hostname: string, port: number, asker = NOBODY): Promise<Resolution> {
    const resolution =
      cache.recall(hostname) ?? (isLiteral(hostname) ? vetLiteral(hostname) : await askOnce(hostname, asker));
    return resolution.ok ? judgePort(resolution, port, policy) : resolution;
  }

  /** Not remembered: judging it again is quick, and it would take a name's place. */
  function vetLiteral(address: string): Resolution {
    return vet([{ address, ttlSeconds: 0 }], policy);
  }

  /** Shared by whoever asks on behalf of the same one: others don't wait behind his lookups. */
  function askOnce(hostname: string, asker: string): Promise<Resolution> {
    const key = `${asker} ${hostname}`;
    const shared = inFlight.get(key);
    if (shared !== undefined) return shared;
    const asked = askInTurn(hostname, asker).finally(() => inFlight.delete(key));
    inFlight.set(key, asked);
    return asked;
  }

  async function askInTurn(hostname: string, asker: string): Promise<Resolution> {
    if (!(await shares.enter(asker))) return dnsFailure('EBUSY');
    try {
      return cache.recall(hostname) ?? (await ask(hostname));
    } finally {
      shares.leave(asker);
    }
  }

  async function ask(hostname: string): Promise<Resolution> {
    const startedAtMs = monotonicMs();
    const answers = await within(answersFor(hostname), timeoutMs).catch(codeOf);
    const resolution = Array.isArray(answers)
      ? vet(answers, policy)
      : dnsFailure(typeof answers === 'string' ? answers : 'ETIMEOUT');
    const nowMs = monotonicMs();
    const lastsMs = lifetimeMs(resolution, Array.isArray(answers) ? answers : []);
    cache.remember(hostname, { resolution, expiresAtMs: nowMs + lastsMs });
    onEvent?.({
      kind: 'lookup',
      result: resolution.ok ? 'ok' : resolution.failure,
      ms: nowMs - startedAtMs,
    });
    return resolution;
  }

  async function answersFor(hostname: string): Promise<readonly LookupAnswer[]> {
    return isLocalhost(hostname) ? LOCALHOST : lookup(hostname);
  }

  function lifetimeMs(resolution: Resolution, answers: readonly LookupAnswer[]): number {
    // A blocked name is remembered like any other: how often it is asked for would tell it apart.
    if (!resolution.ok && resolution.failure === 'dns') return negativeTtlMs;
    const shortest = answers.reduce((least, { ttlSeconds }) => Math.min(least, ttlSeconds * 1_000), maxTtlMs);
    return Math.max(minTtlMs, shortest);
  }

  return {
    resolve,
    stats: () => ({ ...cache.stats(), inFlight: shares.taken, waiting: shares.waiting }),
  };
}

const isLiteral = (hostname: string): boolean => parseAddress(hostname) !== null;

/** Least recently used first; expired entries go when they are asked for. */
function createCache(maxEntries: number, monotonicMs: () => number) {
  const entries = new Map<string, Entry>();
  let hits = 0;
  let evicted = 0;
  return {
    recall(hostname: string): Resolution | null {
      const entry = entries.get(hostname);
      if (entry === undefined) return null;
      entries.delete(hostname);
      if (entry.expiresAtMs <= monotonicMs()) return null;
      entries.set(hostname, entry);
      hits++;
      return entry.resolution;
    },
    remember(hostname: string, entry: Entry): void {
      entries.delete(hostname);
      entries.set(hostname, entry);
      if (entries.size <= maxEntries) return;
      entries.delete(entries.keys().next().value!);
      evicted++;
    },
    stats: () => ({ entries: entries.size, hits, evicted }),
  };
}

/** Of its own addresses this system may be at one port alone: that is not for what is remembered of the name. */
function judgePort(
  resolution: Extract<Resolution, { ok: true }>,
  port: number,
  policy: AddressPolicy,
): Resolution {
  const own = resolution.addresses.find((address) => policy.isOwn(address, port));
  return own === undefined ? resolution : blocked(own, 'own_host', 'this system itself');
}

function vet(answers: readonly LookupAnswer[], policy: AddressPolicy): Resolution {
  if (answers.length === 0) return dnsFailure('ENODATA');
  if (answers.length > MAX_ANSWERS) return dnsFailure('ETOOMANY');
  for (const { address } of answers) {
    const verdict = policy.judgeAddress(address);
    if (!verdict.allowed) return blocked(address, verdict.why, verdict.reason);
  }
  const kept = answers.slice(0, MAX_KEPT);
  return { ok: true, addresses: kept.map(({ address }) => address as VettedAddress) };
}

function blocked(address: string, why: BlockReason, reason: string): Resolution {
  const operatorDetail = `blocked address ${address}: ${reason}`;
  return { ok: false, failure: 'blocked', why, detail: CONNECTION_REFUSED, operatorDetail };
}

function dnsFailure(code: string): Resolution {
  const detail = DETAIL_BY_CODE[code] ?? 'the DNS lookup failed';
  return { ok: false, failure: 'dns', detail, operatorDetail: code };
}

function codeOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === 'string' ? code : 'EUNKNOWN';
}
