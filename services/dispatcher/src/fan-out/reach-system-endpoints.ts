import { type EventMeta, OPERATOR_TENANT_ID, type RoutedEvent } from '@posthorn/contracts';
import type { TrackedRecord } from '@posthorn/kafka';
import { matchingSystemEndpoints } from '@posthorn/tenant-config';
import { cutIntoRecords } from '../cut-into-records.ts';
import type { RareWarning } from '../rare-warning.ts';
import type { FindConfig } from './find-config.ts';
import { type PublishOptions, publishDeliveries } from './publish-deliveries.ts';
import { type PutAsideOptions, putAsideForSystem } from './put-aside.ts';

export interface ReachSystemOptions extends PublishOptions, PutAsideOptions {
  readonly findConfig: FindConfig;
  readonly warnPutAside: RareWarning;
  readonly observe: SystemObserver;
}

export interface SystemObserver {
  system(records: number, slots: number): void;
  putAside(): void;
}

/**
 * An event's deliveries to the operator's system endpoints, by the second stamp. They are the operator's tenant's own:
 * its lanes, caps, dead letters and revision, so that nothing about them holds the event's tenant up. What that
 * configuration is needed for waits on a tier by itself; the tenant's own deliveries do not wait with it.
 * @throws Abandoned
 */
export async function reachSystemEndpoints(
  options: ReachSystemOptions,
  source: TrackedRecord,
  event: EventMeta,
  routed: RoutedEvent,
): Promise<void> {
  const revision = event.systemRevision;
  if (revision === undefined) return;
  const found = await options.findConfig({ tenantId: OPERATOR_TENANT_ID, revision });
  switch (found.kind) {
    case 'found': {
      const endpointIds = matchingSystemEndpoints(found.config, routed, revision);
      if (endpointIds.length === 0) return;
      const records = cutIntoRecords(endpointIds, found.config.lanes);
      const copy = { ...event, tenantId: OPERATOR_TENANT_ID, revision, sourceTenantId: event.tenantId };
      await publishDeliveries(options, source, copy, records);
      return options.observe.system(records.length, endpointIds.length);
    }
    case 'unavailable':
      await options.send(source, putAsideForSystem(options, event.tenantId, source));
      options.observe.putAside();
      return options.warnPutAside({
        tenant_id: OPERATOR_TENANT_ID,
        event_id: event.eventId,
        reason: found.reason,
      });
    case 'unknown_tenant':
      return;
    default:
      found satisfies never;
  }
}
