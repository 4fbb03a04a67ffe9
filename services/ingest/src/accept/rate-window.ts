/**
 * The event rate of each tenant: at most `limit` events in any one second, all of them at once if he likes. A tenant's
 * window is the log of his last second's admissions, so the count is exact; its length is bounded by his limit and all
 * windows together by `maxStamps`, the least recently used making room. Windows are kept in this process alone: with
 * several replicas each admits up to the limit.
 */
export interface RateWindow {
  /** Counts one event of the tenant unless his last second is full. */
  admit(tenantId: string, limit: number, nowMs: number): Admission;
  /** Events admitted in the last second. */
  used(tenantId: string, nowMs: number): number;
  readonly tenants: number;
}

export interface Admission {
  readonly admitted: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until a refused sender may try again, or until an admitted one's window is empty. */
  readonly resetMs: number;
}

export const WINDOW_MS = 1_000;
export const DEFAULT_MAX_STAMPS = 4_000_000;
const FIRST_CAPACITY = 32;
const BYTES_OF_MAP_ENTRY_IN_STAMPS = 16;

export function createRateWindow(maxStamps = DEFAULT_MAX_STAMPS): RateWindow {
  // A Map iterates in the order of insertion: a window taken out and put back is the most recently used.
  const windows = new Map<string, StampLog>();
  let stamps = 0;

  const weigh = (log: StampLog): number => log.capacity + BYTES_OF_MAP_ENTRY_IN_STAMPS;

  function touch(tenantId: string): StampLog {
    const known = windows.get(tenantId);
    if (known) windows.delete(tenantId);
    const log = known ?? createStampLog();
    if (!known) stamps += weigh(log);
    windows.set(tenantId, log);
    return log;
  }

  function makeRoom(): void {
    for (const [tenantId, log] of windows) {
      if (stamps <= maxStamps || windows.size === 1) return;
      windows.delete(tenantId);
      stamps -= weigh(log);
    }
  }

  return {
    admit(tenantId, limit, nowMs) {
      const log = touch(tenantId);
      log.dropUntil(nowMs - WINDOW_MS);
      if (log.size >= limit) {
        const resetMs = limit < 1 ? WINDOW_MS : log.at(log.size - limit) + WINDOW_MS - nowMs;
        return { admitted: false, limit, remaining: 0, resetMs };
      }
      const before = log.capacity;
      log.push(nowMs);
      stamps += log.capacity - before;
      if (stamps > maxStamps) makeRoom();
      return { admitted: true, limit, remaining: limit - log.size, resetMs: WINDOW_MS };
    },
    used(tenantId, nowMs) {
      const log = windows.get(tenantId);
      log?.dropUntil(nowMs - WINDOW_MS);
      return log?.size ?? 0;
    },
    get tenants() {
      return windows.size;
    },
  };
}

interface StampLog {
  readonly size: number;
  readonly capacity: number;
  at(index: number): number;
  push(stampMs: number): void;
  /** Forgets the stamps at or before `limitMs`. */
  dropUntil(limitMs: number): void;
}

/** A ring of times in ascending order that doubles when it is full. */
function createStampLog(): StampLog {
  let ring = new Float64Array(FIRST_CAPACITY);
  let head = 0;
  let size = 0;

  function grow(): void {
    const larger = new Float64Array(ring.length * 2);
    for (let i = 0; i < size; i++) larger[i] = ring[(head + i) % ring.length]!;
    ring = larger;
    head = 0;
  }

  return {
    get size() {
      return size;
    },
    get capacity() {
      return ring.length;
    },
    at: (index) => ring[(head + index) % ring.length]!,
    push(stampMs) {
      if (size === ring.length) grow();
      ring[(head + size) % ring.length] = stampMs;
      size += 1;
    },
    dropUntil(limitMs) {
      while (size > 0 && ring[head]! <= limitMs) {
        head = (head + 1) % ring.length;
        size -= 1;
      }
    },
  };
}
