import type { EndpointId, EventMeta } from '@posthorn/contracts';
import { matchingEndpoints, type TenantConfig } from '@posthorn/tenant-config';

/** The endpoints that an event goes to, by the configuration versions that were valid at its revision. */
export function matchEndpoints(config: TenantConfig, event: EventMeta): readonly EndpointId[] {
  return matchingEndpoints(config, event.type, event.labels, event.revision);
}
