import type { EndpointId, EventMeta, RoutedEvent } from '@posthorn/contracts';
import { matchingEndpoints, type TenantConfig } from '@posthorn/tenant-config';

/**
 * The endpoints that an event goes to: those it names, as far as they are its tenant's, else by the configuration
 * versions that were valid at its revision.
 */
export function matchEndpoints(
  config: TenantConfig,
  event: EventMeta,
  routed: RoutedEvent,
): readonly EndpointId[] {
  if (event.only) return event.only.filter((endpointId) => config.endpoints.has(endpointId));
  return matchingEndpoints(config, routed, event.revision);
}
