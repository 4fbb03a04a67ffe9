import { createHash } from 'node:crypto';
import type { EndpointId, TenantId } from './ids.ts';

/** FNV-1a, 32 bits: spreads keys over partitions; not a promise to anybody outside this file. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return hash >>> 0;
}

/** The partition of a topic that is keyed by tenant (`events`, `journal`, `dead-letters`, `replay`). */
export function tenantPartition(tenantId: TenantId, partitions: number): number {
  return hash32(tenantId) % partitions;
}

/** The lane of operational events: no tenant is pinned to it while there is another. */
export const OPERATIONAL_LANE = 0;

/** The lanes a new tenant is pinned to. The pin is stored with the tenant, so growing the topic moves nobody. */
export function pinLanes(tenantId: TenantId, partitions: number, count = 1): number[] {
  if (partitions === 1) return [OPERATIONAL_LANE];
  const choice = partitions - 1;
  const first = hash32(`lane:${tenantId}`) % choice;
  return Array.from({ length: Math.min(count, choice) }, (_, i) => 1 + ((first + i) % choice));
}

/** An endpoint's lane among its tenant's, by rendezvous hashing: a lane added or taken away moves only its share. */
export function laneOf(endpointId: EndpointId, lanes: readonly number[]): number {
  if (lanes.length === 1) return lanes[0]!;
  let best = -1;
  let bestWeight = '';
  for (const lane of lanes) {
    const weight = createHash('sha256').update(`${endpointId}\n${lane}`).digest('hex');
    if (weight > bestWeight) {
      best = lane;
      bestWeight = weight;
    }
  }
  return best;
}
