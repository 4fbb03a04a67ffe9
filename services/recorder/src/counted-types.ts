/** Event types that are counted one by one within a day: of one tenant, and of all. */
export const MAX_TYPES_OF_TENANT = 500;
export const MAX_TYPES = 50_000;
/** What comes beyond is counted together under this name, which no type has. */
export const OTHER_TYPES = '*';

const DAY_MS = 86_400_000;

/**
 * Under which name an event is counted. A tenant names its types as it likes: were each of them counted by itself, one
 * that never says the same twice would fill the counts of the whole installation. Holds the types of the day (UTC) that
 * it was asked about last; each process has its own.
 */
export interface CountedTypes {
  nameFor(tenantId: string, eventType: string, nowMs: number): string;
  readonly size: number;
}

export function createCountedTypes(): CountedTypes {
  const ofTenants = new Map<string, Set<string>>();
  let day = 0;
  let size = 0;

  function begin(nowMs: number): void {
    const today = Math.floor(nowMs / DAY_MS);
    if (today === day) return;
    day = today;
    size = 0;
    ofTenants.clear();
  }

  return {
    nameFor(tenantId, eventType, nowMs) {
      begin(nowMs);
      const known = ofTenants.get(tenantId) ?? new Set<string>();
      if (known.has(eventType)) return eventType;
      if (known.size >= MAX_TYPES_OF_TENANT || size >= MAX_TYPES) return OTHER_TYPES;
      ofTenants.set(tenantId, known.add(eventType));
      size += 1;
      return eventType;
    },
    get size() {
      return size;
    },
  };
}
