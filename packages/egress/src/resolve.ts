import type { AddressPolicy } from './address-policy.ts';
import { createDnsLookup, type Lookup, type LookupAnswer } from './dns-lookup.ts';
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
      readonly failure: 'dns' | 'blocked';
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
  /** How long a name that did not resolve, or resolved to a blocked address, is not asked for again. */
  readonly negativeTtlMs?: number;
  readonly timeoutMs?: number;
  /** Names asked for at the same time. */
  readonly maxInFlight?: number;
  readonly onEvent?: (event: ResolverEvent) => void;
}

export interface Resolver {
  /** Never rejects. */
  resolve(hostname: string): Promise<Resolution>;
  stats(): { readonly entries: number; readonly inFlight: number };
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
};

/** Turns names into addresses that may be dialled. One bad address among a name's answers refuses the name. */
export function createResolver(options: ResolverOptions): Resolver {
  const { policy, monotonicMs = () => performance.now(), onEvent } = options;
  const { maxEntries = 10_000, minTtlMs = 1_000, maxTtlMs = 60_000, negativeTtlMs = 5_000 } = options;
  const { timeoutMs = 5_000, maxInFlight = 256, lookup = createDnsLookup() } = options;
  const cache = new Map<string, Entry>();
  const inFlight = new Map<string, Promise<Resolution>>();

  async function resolve(hostname: string): Promise<Resolution> {
    if (parseAddress(hostname) !== null) return vet([{ address: hostname, ttlSeconds: 0 }], policy);
    const cached = recall(hostname);
    if (cached !== null) return cached;
    const shared = inFlight.get(hostname);
    if (shared !== undefined) return shared;
    if (inFlight.size >= maxInFlight) return dnsFailure('EBUSY');
    const asked = ask(hostname).finally(() => inFlight.delete(hostname));
    inFlight.set(hostname, asked);
    return asked;
  }

  async function ask(hostname: string): Promise<Resolution> {
    const startedAtMs = monotonicMs();
    const answers = await within(answersFor(hostname), timeoutMs).catch(codeOf);
    const resolution = Array.isArray(answers)
      ? vet(answers, policy)
      : dnsFailure(typeof answers === 'string' ? answers : 'ETIMEOUT');
    const nowMs = monotonicMs();
    remember(hostname, resolution, nowMs + lifetimeMs(resolution, Array.isArray(answers) ? answers : []));
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
    if (!resolution.ok) return negativeTtlMs;
    const shortest = answers.reduce((least, { ttlSeconds }) => Math.min(least, ttlSeconds * 1_000), maxTtlMs);
    return Math.max(minTtlMs, shortest);
  }

  function recall(hostname: string): Resolution | null {
    const entry = cache.get(hostname);
    if (entry === undefined) return null;
    cache.delete(hostname);
    if (entry.expiresAtMs <= monotonicMs()) return null;
    cache.set(hostname, entry);
    return entry.resolution;
  }

  function remember(hostname: string, resolution: Resolution, expiresAtMs: number): void {
    cache.delete(hostname);
    cache.set(hostname, { resolution, expiresAtMs });
    if (cache.size > maxEntries) cache.delete(cache.keys().next().value!);
  }

  return { resolve, stats: () => ({ entries: cache.size, inFlight: inFlight.size }) };
}

function vet(answers: readonly LookupAnswer[], policy: AddressPolicy): Resolution {
  if (answers.length === 0) return dnsFailure('ENODATA');
  for (const { address } of answers) {
    const verdict = policy.judgeAddress(address);
    if (verdict.allowed) continue;
    const operatorDetail = `blocked address ${address}: ${verdict.reason}`;
    return { ok: false, failure: 'blocked', detail: CONNECTION_REFUSED, operatorDetail };
  }
  return { ok: true, addresses: answers.map(({ address }) => address as VettedAddress) };
}

function dnsFailure(code: string): Resolution {
  const detail = DETAIL_BY_CODE[code] ?? 'the DNS lookup failed';
  return { ok: false, failure: 'dns', detail, operatorDetail: code };
}

function codeOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === 'string' ? code : 'EUNKNOWN';
}
