import { OPERATOR_TENANT_ID } from '@posthorn/contracts';
import { hasSystemEndpoints, type TenantConfig } from '@posthorn/tenant-config';
import type { TenantLookups } from '../access/authorise.ts';
import { type Problem, problem, retryAfter } from '../http/problem.ts';

export interface SystemStamp {
  readonly kind: 'stamp';
  /** Null while the operator has no system endpoints, which is the usual. */
  readonly revision: number | null;
}

const NONE: SystemStamp = { kind: 'stamp', revision: null };

/**
 * The second stamp of an event: the revision of the operator's own configuration, by which the dispatcher matches system
 * endpoints. Asked for after the tenant's, so it is as fresh. An event that could not be given it would miss them: it is
 * refused, as it is while its tenant cannot be had.
 */
export function systemStamp(
  tenants: Pick<TenantLookups, 'peek' | 'get'>,
): SystemStamp | Promise<SystemStamp | Problem> {
  const operator = tenants.peek(OPERATOR_TENANT_ID);
  return operator ? stampOf(operator) : lookUp(tenants);
}

async function lookUp(tenants: Pick<TenantLookups, 'get'>): Promise<SystemStamp | Problem> {
  const lookup = await tenants.get(OPERATOR_TENANT_ID);
  switch (lookup.kind) {
    case 'found':
      return stampOf(lookup.config);
    case 'unknown_tenant':
      return NONE;
    case 'unavailable':
      return problem('tenant_unavailable', 'nothing was done: try again', retryAfter(1));
    default:
      return lookup satisfies never;
  }
}

const stampOf = (operator: TenantConfig): SystemStamp =>
  hasSystemEndpoints(operator) ? { kind: 'stamp', revision: operator.revision } : NONE;
