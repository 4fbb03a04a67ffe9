import { laneOf } from '@posthorn/contracts';
import type { TenantConfig, TenantConfigs } from '@posthorn/tenant-config';
import type { DeliveryWork } from './delivery-work.ts';

/** Slots of a record by the lane that they belong to; null while this one is theirs, or nobody knows better. */
export function findStrays(
  configs: Pick<TenantConfigs, 'peek'>,
  work: DeliveryWork,
  indexes: readonly number[],
): Map<number, number[]> | null {
  const tenant = configs.peek(work.tenantId);
  if (tenant === undefined || isAtHome(tenant, work)) return null;
  return Map.groupBy(indexes, (index) => laneOf(work.endpointIds[index]!, tenant.lanes));
}

/** A copy of the configuration that is older than the event says nothing of where it belongs. */
function isAtHome(
  { lanes, drainingLanes, revision }: TenantConfig,
  { record, event }: DeliveryWork,
): boolean {
  const lane = record.partition;
  return lanes.includes(lane) || drainingLanes.includes(lane) || revision < event.revision;
}
