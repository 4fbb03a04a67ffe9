import type { EndpointId, EventId } from '@posthorn/contracts';
import type { TenantConfig } from './tenant-config.ts';

/** What is asked about: a delivery, or an event before its endpoints are known. */
export interface CancellationSubject {
  /** That its record is stamped with: of its event's acceptance, or of its replay. */
  readonly revision: number;
  readonly endpointId: EndpointId | null;
  readonly eventId: EventId;
}

/** A tenant's cancellations by scope, each with the revision before which it covers. */
interface Cancelled {
  readonly all: number;
  readonly byEndpoint: ReadonlyMap<string, number>;
  readonly byEvent: ReadonlyMap<string, number>;
}

const indexes = new WeakMap<TenantConfig, Cancelled>();

/** Whether a person has cancelled it. One comparison for tenants that have cancelled nothing, which are nearly all. */
export function isCancelled(
  config: TenantConfig,
  { revision, endpointId, eventId }: CancellationSubject,
): boolean {
  if (config.cancellations.length === 0) return false;
  let cancelled = indexes.get(config);
  if (cancelled === undefined) {
    cancelled = indexCancellations(config);
    indexes.set(config, cancelled);
  }
  if (revision < cancelled.all) return true;
  if (endpointId !== null && revision < (cancelled.byEndpoint.get(endpointId) ?? 0)) return true;
  return revision < (cancelled.byEvent.get(eventId) ?? 0);
}

function indexCancellations({ cancellations }: TenantConfig): Cancelled {
  let all = 0;
  const byEndpoint = new Map<string, number>();
  const byEvent = new Map<string, number>();
  for (const { revision, endpointId, eventId } of cancellations) {
    if (endpointId !== null) raise(byEndpoint, endpointId, revision);
    else if (eventId !== null) raise(byEvent, eventId, revision);
    else all = Math.max(all, revision);
  }
  return { all, byEndpoint, byEvent };
}

function raise(revisions: Map<string, number>, id: string, revision: number): void {
  revisions.set(id, Math.max(revisions.get(id) ?? 0, revision));
}
