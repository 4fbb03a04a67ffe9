import { deriveDeliveryId, type EndpointId, mintEndpointId, mintEventId } from '@posthorn/contracts';
import type { DeadLetterRow, DeliveryRow, EndpointRow, EventPayload, Quotas } from '@posthorn/db';
import type { EndpointVersion, TenantConfig } from '@posthorn/tenant-config';
import type { FakeClock } from '@posthorn/testkit';

export const QUOTAS: Quotas = {
  maxEventsPerSec: 100,
  maxConcurrentDeliveries: 50,
  maxDlqSize: 100,
  maxWebhooks: 3,
  dlqPolicy: 'refuse',
};

export interface FakeEvent {
  readonly tenantId: string;
  readonly event: EventPayload;
  readonly deliveries: DeliveryRow[];
}

export type FakeTables = ReturnType<typeof createFakeTables>;

/** What the database holds, as maps, and what tests put into them. */
export function createFakeTables(clock: FakeClock) {
  const state = { failStore: null as Error | null };
  const tenants = new Map<string, TenantConfig>();
  const events = new Map<string, FakeEvent>();
  const createdAt = new Date(clock.nowMs());
  let change = 1;
  const nextChange = () => change++;

  function addTenant(tenantId: string, quotas: Partial<Quotas> = {}): TenantConfig {
    const config = {
      tenantId,
      revision: nextChange(),
      lanes: [1],
      drainingLanes: [],
      lanesRevision: 0,
      cancellations: [],
      retentionDays: 30,
      quotas: { ...QUOTAS, ...quotas },
      endpoints: new Map(),
    };
    tenants.set(tenantId, config);
    return config;
  }

  function addEndpoint(tenantId: string, version: Partial<EndpointVersion> = {}): EndpointId {
    const endpointId = mintEndpointId(clock.nowMs());
    const config = tenants.get(tenantId) ?? addTenant(tenantId);
    const revision = nextChange();
    const versions = [{ validFrom: revision, validUntil: null, eventTypes: ['*'], labels: {}, ...version }];
    const endpoint = { ...PLAIN_ENDPOINT, endpointId, tenantId, versions };
    const endpoints = new Map(config.endpoints).set(endpointId, endpoint);
    tenants.set(tenantId, { ...config, revision, endpoints });
    return endpointId;
  }

  /** An event in the record, with one delivery for each endpoint. */
  function addEvent(tenantId: string, states: readonly DeliveryRow['state'][]): string {
    const eventId = mintEventId(clock.nowMs());
    const deliveries = states.map((state, i) =>
      fakeDelivery({ tenantId, eventId, state, createdAt }, mintEndpointId(clock.nowMs() + i)),
    );
    events.set(eventId, { tenantId, event: fakeEvent(eventId, createdAt), deliveries });
    return eventId;
  }

  /** Fails like a database that is away. */
  const answer = async <T>(value: () => T): Promise<T> => {
    if (state.failStore) throw state.failStore;
    return value();
  };
  return {
    state,
    tenants,
    events,
    createdAt,
    nextChange,
    answer,
    addTenant,
    addEndpoint,
    addEvent,
    webhooks: new Map<string, EndpointRow>(),
    deadLetters: [] as DeadLetterRow[],
    counts: new Map<string, number>(),
    now: () => new Date(clock.nowMs()),
  };
}

const PLAIN_ENDPOINT = {
  url: 'https://a.example/',
  state: 'active' as const,
  stateReason: null,
  pauseMode: null,
  secrets: [],
  method: 'POST' as const,
  headers: [],
  retryScheduleMs: null,
  attemptTimeoutMs: null,
  maxConcurrency: null,
  maxPerSec: null,
  maxRetryMs: null,
};
const EVENT_TYPE = 'order.created';

function fakeEvent(eventId: string, acceptedAt: Date): EventPayload {
  return {
    tenantId: 'acme',
    eventId,
    type: EVENT_TYPE,
    labels: { region: 'eu' },
    contentType: 'application/json',
    occurredAt: acceptedAt,
    acceptedAt,
    revision: 7,
    retentionDays: 30,
    clientEventId: null,
    payloadExpungedAt: null,
    payload: Buffer.from('{"id": 12345678901234567890}'),
  };
}

function fakeDelivery(
  { createdAt, ...of }: Pick<DeliveryRow, 'tenantId' | 'eventId' | 'state' | 'createdAt'>,
  endpointId: EndpointId,
): DeliveryRow {
  return {
    ...of,
    deliveryId: deriveDeliveryId(of.eventId, endpointId, 0),
    endpointId,
    eventType: EVENT_TYPE,
    run: 0,
    round: 0,
    attempt: 6,
    nextDueAt: null,
    lastFailure: 'http_5xx',
    lastStatus: 503,
    lastError: 'answered 503',
    createdAt,
    updatedAt: createdAt,
  };
}
