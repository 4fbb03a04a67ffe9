import { laneOf, placedOf } from '@posthorn/contracts';
import type { TenantConfig, TenantConfigs } from '@posthorn/tenant-config';
import type { DeliveryWork } from './delivery-work.ts';

/** Slots of a record that belong elsewhere, by the lane that is theirs. */
export interface Strays {
  readonly lanes: ReadonlyMap<number, readonly number[]>;
  /** Of the configuration that says so. */
  readonly revision: number;
}

/** Null while this lane is theirs, or nobody knows better. */
export function findStrays(
  configs: Pick<TenantConfigs, 'peek'>,
  work: DeliveryWork,
  indexes: readonly number[],
): Strays | null {
  const tenant = configs.peek(work.tenantId);
  if (tenant === undefined || isAtHome(tenant, work)) return null;
  const lanes = Map.groupBy(indexes, (index) => laneOf(work.endpointIds[index]!, tenant.lanes));
  return { lanes, revision: tenant.revision };
}

/**
 * A copy of the configuration that is older than the event says nothing of where it belongs; nor does one that is older
 * than what put it here, or two workers would send it to and fro for as long as one of them cannot reach Postgres.
 */
function isAtHome(
  { lanes, drainingLanes, revision }: TenantConfig,
  { record, event, headers }: DeliveryWork,
): boolean {
  const lane = record.partition;
  if (lanes.includes(lane) || drainingLanes.includes(lane)) return true;
  return revision < event.revision || revision < placedOf(headers);
}
