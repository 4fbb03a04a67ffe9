import { isTenantId, OPERATOR_TENANT_ID } from '@posthorn/contracts';
import type { TenantConfig, TenantConfigs } from '@posthorn/tenant-config';
import { isProblem, notFound, type Problem, problem, retryAfter } from '../http/problem.ts';
import { type Caller, mayActFor } from './caller.ts';

export type TenantLookups = Pick<TenantConfigs, 'peek' | 'get' | 'fresh'>;

/** The tenant's configuration, if the key may act for it. One it may not act for looks like one that never was. */
export async function authorise(
  tenants: TenantLookups,
  caller: Caller,
  tenantId: string,
): Promise<TenantConfig | Problem> {
  if (!mayActFor(caller, tenantId)) return unknownTenant(tenantId);
  const cached = tenants.fresh ? tenants.peek(tenantId) : undefined;
  if (cached) return unlessDeleted(cached);
  // Postgres refuses a NUL, and with it the tenants that are asked for in the same batch.
  if (!isTenantId(tenantId)) return unknownTenant(tenantId);
  const lookup = await tenants.get(tenantId);
  switch (lookup.kind) {
    case 'found':
      return unlessDeleted(lookup.config);
    case 'unknown_tenant':
      return unknownTenant(tenantId);
    case 'unavailable':
      return problem('tenant_unavailable', 'nothing was done: try again', retryAfter(1));
    default:
      return lookup satisfies never;
  }
}

/** Its configuration is still held, for what waits to be cancelled. */
const unlessDeleted = (config: TenantConfig): TenantConfig | Problem =>
  config.state === 'deleted' ? unknownTenant(config.tenantId) : config;

export const unknownTenant = (tenantId: string): Problem => notFound('tenant_not_found', 'tenant', tenantId);

export const operatorsOnly = (caller: Caller): Problem | null =>
  caller.kind === 'operator' ? null : problem('forbidden', 'this needs an operator key');

/** The operator's own tenant has webhooks for operational events and nothing else that a customer has. */
export const refuseReserved = (tenantId: string): Problem | null =>
  tenantId === OPERATOR_TENANT_ID
    ? problem(
        'tenant_reserved',
        `the tenant ${OPERATOR_TENANT_ID} takes webhooks for operational events alone`,
      )
    : null;

/** The same for what the operator's own tenant does not have. */
export async function authoriseCustomer(
  tenants: TenantLookups,
  caller: Caller,
  tenantId: string,
): Promise<TenantConfig | Problem> {
  const tenant = await authorise(tenants, caller, tenantId);
  return isProblem(tenant) ? tenant : (refuseReserved(tenantId) ?? tenant);
}

/** A change is confirmed once every live replica of this service works with it; null when that is so. */
export async function confirmChange(
  tenants: Pick<TenantConfigs, 'whenApplied'>,
  change: number,
  made: Readonly<Record<string, string>>,
): Promise<Problem | null> {
  if (await tenants.whenApplied(change)) return null;
  return problem('change_unconfirmed', 'do not repeat it: it becomes effective within seconds', {
    members: made,
    ...retryAfter(5),
  });
}
