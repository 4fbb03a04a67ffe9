import { chooseTier, encodeWait, type Tier, tenantPartition, tierPartitions } from '@posthorn/contracts';
import type { OutboundRecord, TrackedRecord } from '@posthorn/kafka';

export interface PutAsideOptions {
  readonly tiers: readonly Tier[];
  readonly lanes: number;
  tierTopic(tier: Tier): string;
}

const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 256_000;

/** How long a record waits that was put aside `bounces` times before: 1 s, doubling to 256 s. */
export function putAsideWaitMs(bounces: number): number {
  return Math.min(FIRST_WAIT_MS * 2 ** Math.min(bounces, 8), MAX_WAIT_MS);
}

/**
 * The record that takes an event out of the way while its tenant's configuration can't be had: on a tier, with the
 * way back to `events`. No attempt is counted, and nobody behind it waits.
 */
export function putAside(options: PutAsideOptions, tenantId: string, source: TrackedRecord): OutboundRecord {
  const bounces = Number(source.headers.ph_bounces ?? 0) || 0;
  const delayMs = putAsideWaitMs(bounces);
  return {
    topic: options.tierTopic(chooseTier(options.tiers, delayMs)),
    partition: tenantPartition(tenantId, tierPartitions(options.lanes)),
    key: tenantId,
    value: source.value,
    headers: { ...source.headers, ...encodeWait({ delayMs, returnTo: 'events', bounces: bounces + 1 }) },
  };
}
