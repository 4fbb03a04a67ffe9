import type { TenantId } from '@posthorn/contracts';

export interface InboundRateOptions {
  /** Tenants whose rate is remembered; beyond it the one that came first starts anew. */
  readonly maxTenants: number;
}

/**
 * Whether a tenant's events came no faster than it may send them, by the times at which the broker appended them: what
 * is read late, or again after a restart, is judged by when it came. A window is the last second in steps of 100 ms,
 * and counts what was admitted.
 */
export interface InboundRate {
  admit(tenantId: TenantId, maxPerSec: number, appendTimeMs: number): boolean;
  readonly tenants: number;
}

const STEP_MS = 100;
const STEPS_OF_WINDOW = 10;
/** Partitions are read at their own pace: steps that are kept for those that are behind. */
const MAX_STEPS = 64;

export function createInboundRate({ maxTenants }: InboundRateOptions): InboundRate {
  const steps = new Map<TenantId, Map<number, number>>();

  function stepsOf(tenantId: TenantId): Map<number, number> {
    let found = steps.get(tenantId);
    if (found === undefined) {
      if (steps.size >= maxTenants) steps.delete(steps.keys().next().value!);
      found = new Map();
      steps.set(tenantId, found);
    }
    return found;
  }

  return {
    admit(tenantId, maxPerSec, appendTimeMs) {
      const admitted = stepsOf(tenantId);
      const step = Math.floor(appendTimeMs / STEP_MS);
      let count = 0;
      for (let i = 0; i < STEPS_OF_WINDOW; i++) count += admitted.get(step - i) ?? 0;
      if (count >= maxPerSec) return false;
      admitted.set(step, (admitted.get(step) ?? 0) + 1);
      if (admitted.size > MAX_STEPS) admitted.delete(admitted.keys().next().value!);
      return true;
    },
    get tenants() {
      return steps.size;
    },
  };
}
