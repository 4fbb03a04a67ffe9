import {
  bouncesOf,
  chooseTier,
  encodeWait,
  putAsideDelayMs,
  type Tier,
  tenantPartition,
  tierPartitions,
} from '@posthorn/contracts';
import type { OutboundRecord, TrackedRecord } from '@posthorn/kafka';

export interface PutAsideOptions {
  readonly tiers: readonly Tier[];
  readonly lanes: number;
  tierTopic(tier: Tier): string;
}

/**
 * The record that takes an event out of the way while its tenant's configuration can't be had: on a tier, with the
 * way back to `events`. No attempt is counted, and nobody behind it waits.
 */
export function putAside(
  options: PutAsideOptions,
  tenantId: string,
  source: Pick<TrackedRecord, 'headers' | 'value'>,
): OutboundRecord {
  const bounces = bouncesOf(source.headers);
  const delayMs = putAsideDelayMs(bounces);
  return {
    topic: options.tierTopic(chooseTier(options.tiers, delayMs)),
    partition: tenantPartition(tenantId, tierPartitions(options.lanes)),
    key: tenantId,
    value: source.value,
    headers: { ...source.headers, ...encodeWait({ delayMs, returnTo: 'events', bounces: bounces + 1 }) },
  };
}

/** So for the system endpoints alone, whose configuration is the operator's. */
export const putAsideForSystem = (
  options: PutAsideOptions,
  tenantId: string,
  { headers, value }: TrackedRecord,
): OutboundRecord => putAside(options, tenantId, { value, headers: { ...headers, ph_system_only: 'true' } });
