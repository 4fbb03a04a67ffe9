import type { Clock } from '@posthorn/runtime';

export interface LookupCacheOptions {
  /** Whether Postgres answered lately. */
  readonly isDatabaseUp: () => boolean;
  readonly reportDatabaseDown: () => void;
  readonly clock: Clock;
  readonly maxEntries: number;
  /** How long an answer is believed without asking while Postgres is away. */
  readonly maxAgeMs: number;
}

export type Lookup<T> =
  | { readonly kind: 'found'; readonly value: T }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unavailable' };

export interface LookupCache<T> {
  /** At once when it was asked for lately. `ask` rejects when Postgres does not answer. */
  find(id: string, ask: () => Promise<T | null>): Lookup<T> | Promise<Lookup<T>>;
  readonly size: number;
}

interface Entry<T> {
  /** Null: there is none. */
  readonly value: T | null;
  readonly checkedAtMs: number;
}

/** What was taken away stops within this time while Postgres answers. */
export const FRESH_MS = 5_000;
/** What is in use is asked for again behind the caller's back, so that nobody waits for it. */
const REFRESH_AFTER_MS = 2_000;
export const MAX_LOOKUPS_UNDER_WAY = 64;

const ABSENT = { kind: 'absent' } as const;
const UNAVAILABLE = { kind: 'unavailable' } as const;

/**
 * Remembers what Postgres answered; entries least recently looked up make room. What is absent is remembered apart, and
 * only lookups of what was never found are bounded, so that guessing takes nothing from those who have something. An
 * answer is *fresh* (2 s), then *refreshing* (used while it is asked for again, up to 5 s), then *old*: a request waits
 * for the lookup, or, while Postgres is away, takes the old answer up to `maxAgeMs`.
 */
export function createLookupCache<T>(options: LookupCacheOptions): LookupCache<T> {
  const { clock, maxEntries, maxAgeMs } = options;
  const known = new Map<string, Entry<T>>();
  const unknown = new Map<string, Entry<T>>();
  const underWay = new Map<string, Promise<Entry<T> | null>>();

  function remember(id: string, entry: Entry<T>): Entry<T> {
    const { value } = entry;
    const entries = value === null ? unknown : known;
    known.delete(id);
    unknown.delete(id);
    entries.set(id, entry);
    if (entries.size > maxEntries) entries.delete(entries.keys().next().value!);
    return entry;
  }

  async function askFor(id: string, ask: () => Promise<T | null>): Promise<Entry<T> | null> {
    // An answer is as old as its question: what was taken away since may still stand in it.
    const checkedAtMs = clock.monotonicMs();
    try {
      return remember(id, { value: await ask(), checkedAtMs });
    } catch {
      options.reportDatabaseDown();
      return null;
    } finally {
      underWay.delete(id);
    }
  }

  /** Null when it cannot be known now. */
  function lookUp(id: string, ask: () => Promise<T | null>): Promise<Entry<T> | null> | null {
    const asked = underWay.get(id);
    if (asked) return asked;
    if (!known.has(id) && underWay.size >= MAX_LOOKUPS_UNDER_WAY) return null;
    const lookup = askFor(id, ask);
    underWay.set(id, lookup);
    return lookup;
  }

  function lastResort(entry: Entry<T> | undefined): Lookup<T> {
    const isBelieved = entry !== undefined && clock.monotonicMs() - entry.checkedAtMs <= maxAgeMs;
    return isBelieved && entry.value !== null ? answerOf(entry) : UNAVAILABLE;
  }

  return {
    find(id, ask) {
      const entry = known.get(id) ?? unknown.get(id);
      const ageMs = entry ? clock.monotonicMs() - entry.checkedAtMs : Number.POSITIVE_INFINITY;
      if (entry && ageMs <= FRESH_MS) {
        if (ageMs > REFRESH_AFTER_MS && options.isDatabaseUp()) void lookUp(id, ask);
        return answerOf(entry);
      }
      const lookup = options.isDatabaseUp() ? lookUp(id, ask) : null;
      if (!lookup) return lastResort(entry);
      return lookup.then((found) => (found ? answerOf(found) : lastResort(entry)));
    },
    get size() {
      return known.size + unknown.size;
    },
  };
}

const answerOf = <T>({ value }: Entry<T>): Lookup<T> => (value === null ? ABSENT : { kind: 'found', value });
