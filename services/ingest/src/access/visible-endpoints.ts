import type { EndpointId } from '@posthorn/contracts';
import type { TenantConfig } from '@posthorn/tenant-config';
import { isProblem, type Problem } from '../http/problem.ts';
import { authorise, type TenantLookups } from './authorise.ts';
import { type Caller, visibleTo } from './caller.ts';

/**
 * The endpoints whose deliveries a caller may see: null for all. Of a token that is narrowed by labels those that carry
 * them by their latest subscription, deleted ones included as long as their configuration is kept.
 */
export async function visibleEndpoints(
  tenants: TenantLookups,
  caller: Caller,
  tenantId: string,
): Promise<readonly EndpointId[] | null | Problem> {
  if (caller.labels === null) return null;
  const tenant = await authorise(tenants, caller, tenantId);
  return isProblem(tenant) ? tenant : endpointsSeenBy(caller, tenant);
}

export const endpointsSeenBy = (caller: Caller, tenant: TenantConfig): EndpointId[] =>
  [...tenant.endpoints.values()]
    .filter(({ versions }) => visibleTo(caller, versions.at(-1)?.labels ?? {}))
    .map(({ endpointId }) => endpointId);

/** Whether what happened at an endpoint is shown to the caller. */
export async function seesEndpoint(
  tenants: TenantLookups,
  caller: Caller,
  tenantId: string,
  endpointId: EndpointId,
): Promise<boolean> {
  const visible = await visibleEndpoints(tenants, caller, tenantId);
  if (visible === null) return true;
  return !isProblem(visible) && visible.includes(endpointId);
}
