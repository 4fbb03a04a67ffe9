import { isEndpointId } from '@posthorn/contracts';
import type { EndpointRow } from '@posthorn/db';
import { type Caller, visibleTo } from '../../access/caller.ts';
import { notFound, type Problem } from '../../http/problem.ts';
import type { Store } from '../../store.ts';

/**
 * Null for one that is not there, was deleted, or is none of the caller's: of another tenant, without his labels, or a
 * system webhook, which sees all tenants' events and is for admins.
 */
export async function findWebhook(
  { store }: { readonly store: Pick<Store, 'findEndpoint'> },
  caller: Caller,
  endpointId: string,
): Promise<EndpointRow | null> {
  if (!isEndpointId(endpointId)) return null;
  const row = await store.findEndpoint(caller.tenantId, endpointId);
  if (row === null || row.state === 'deleted' || !visibleTo(caller, row.labels)) return null;
  if (row.scope === 'all_tenants' && !caller.scopes.has('admin')) return null;
  return row;
}

export const unknownWebhook = (endpointId: string): Problem =>
  notFound('webhook_not_found', 'webhook', endpointId);
