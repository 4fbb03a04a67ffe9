import { invalidRequest, isProblem, type Problem } from '../http/problem.ts';
import { type TenantLookups, unknownTenant } from './authorise.ts';
import { type Caller, mayActFor } from './caller.ts';
import { visibleEndpoints } from './visible-endpoints.ts';

/** Whose entries a list shows. */
export interface ListOwner {
  /** Null: of all tenants. */
  readonly tenantId: string | null;
}

/** The tenant that is named, else the caller's own; an operator who names none sees those of all. */
export function tenantOfList(caller: Caller, named: string | undefined): ListOwner | Problem {
  if (named !== undefined && !mayActFor(caller, named)) return unknownTenant(named);
  return { tenantId: named ?? caller.tenantId };
}

export interface ListScope extends ListOwner {
  /** At these endpoints alone; null: at all. */
  readonly endpointIds: readonly string[] | null;
}

/** Of what happened at endpoints: a narrowed token is shown what happened at those that it sees. */
export async function scopeOfList(
  tenants: TenantLookups,
  caller: Caller,
  query: { readonly tenant_id?: string; readonly webhook_id?: string },
): Promise<ListScope | Problem> {
  const list = tenantOfList(caller, query.tenant_id);
  if (isProblem(list)) return list;
  const { tenantId } = list;
  const seen = tenantId === null ? null : await visibleEndpoints(tenants, caller, tenantId);
  if (seen !== null && isProblem(seen)) return seen;
  const wanted = query.webhook_id;
  if (wanted === undefined) return { tenantId, endpointIds: seen };
  return { tenantId, endpointIds: seen === null || seen.includes(wanted) ? [wanted] : [] };
}

/** The tenant that something is made for. An operator names it. */
export function tenantOfNew(
  caller: Caller,
  named: string | null | undefined,
): { tenantId: string } | Problem {
  const tenantId = named ?? caller.tenantId;
  if (tenantId === null) return TENANT_REQUIRED;
  return mayActFor(caller, tenantId) ? { tenantId } : unknownTenant(tenantId);
}

const TENANT_REQUIRED = invalidRequest([
  { pointer: '/tenant_id', detail: 'is required with an operator key' },
]);
