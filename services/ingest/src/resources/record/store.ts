import {
  type AttemptFilter,
  type AttemptRow,
  type AttemptSummary,
  type DeliveryFilter,
  type DeliveryRow,
  type EndpointRequestRow,
  type EventFilter,
  type EventPayload,
  type FoundEvent,
  findAttempt,
  findEndpointRequest,
  findOpenCircuits,
  findWholeEvent,
  type OpenCircuit,
  type RequestMoment,
  type Sql,
  searchAttempts,
  searchDeliveries,
  searchEvents,
  type TenantLoad,
  tenantLoad,
  type WalkedPage,
  type WalkRequest,
} from '@posthorn/db';

type Page = WalkRequest & { readonly nowMs: number };

/** What is asked of the record. `tenantId` null: of all tenants. */
export interface RecordStore {
  searchDeliveries(
    tenantId: string | null,
    filter: DeliveryFilter,
    page: Page,
  ): Promise<WalkedPage<DeliveryRow>>;
  searchAttempts(
    tenantId: string | null,
    filter: AttemptFilter,
    page: Page,
  ): Promise<WalkedPage<AttemptSummary>>;
  searchEvents(tenantId: string | null, filter: EventFilter, page: Page): Promise<WalkedPage<FoundEvent>>;
  findEvent(tenantId: string, eventId: string): Promise<EventPayload | null>;
  findAttempt(tenantId: string | null, attemptId: string): Promise<AttemptRow | null>;
  findEndpointRequest(tenantId: string, moment: RequestMoment): Promise<EndpointRequestRow | null>;
  /** What keeps a delivery waiting beside its own next time. */
  findObstacles(
    tenantId: string,
    endpointId: string,
  ): Promise<{ load: TenantLoad; circuit: OpenCircuit | null }>;
}

export function openRecordStore(sql: Sql): RecordStore {
  return {
    searchDeliveries: (tenantId, filter, page) => searchDeliveries(sql, tenantId, filter, page),
    searchAttempts: (tenantId, filter, page) => searchAttempts(sql, tenantId, filter, page),
    searchEvents: (tenantId, filter, page) => searchEvents(sql, tenantId, filter, page),
    findEvent: (tenantId, eventId) => findWholeEvent(sql, tenantId, eventId),
    findAttempt: (tenantId, attemptId) => findAttempt(sql, tenantId, attemptId),
    findEndpointRequest: (tenantId, moment) => findEndpointRequest(sql, tenantId, moment),
    async findObstacles(tenantId, endpointId) {
      const [load, circuits] = await Promise.all([
        tenantLoad(sql, tenantId),
        findOpenCircuits(sql, tenantId, [endpointId]),
      ]);
      return { load, circuit: circuits.get(endpointId) ?? null };
    },
  };
}
