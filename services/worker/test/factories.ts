import { encodeDelivery, encodeEvent, type Headers, mintEndpointId, mintEventId } from '@posthorn/contracts';
import type { SendTiming } from '@posthorn/egress';
import type { TrackedRecord } from '@posthorn/kafka';
import type { EndpointConfig, TenantConfig } from '@posthorn/tenant-config';
import { type DeliverySlot, type DeliveryWork, decodeWork } from '../src/intake/delivery-work.ts';
import type { Made } from '../src/settle/made.ts';

export const NOW = Date.UTC(2026, 10, 22, 12, 0, 0);
export const TENANT = 'acme';
export const LANE = 3;
export const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';

/** Of a request over a connection that was open already. */
export const makeTiming = (totalMs: number): SendTiming => ({
  dnsMs: null,
  connectMs: null,
  tlsMs: null,
  firstByteMs: totalMs,
  totalMs,
  reusedConnection: true,
});

export interface FakeRecord extends TrackedRecord {
  readonly completed: (number | undefined)[];
  live: boolean;
  /** Handed over, with its slots marked as held by us. */
  held: boolean;
}

export function makeHeaders(
  over: { slots?: string[]; attempt?: number; tenantId?: string; extra?: Headers } = {},
) {
  return {
    ...encodeEvent({
      eventId: mintEventId(NOW - 250),
      tenantId: over.tenantId ?? TENANT,
      type: 'order.created',
      labels: {},
      occurredAt: new Date(NOW).toISOString(),
      contentType: 'application/json',
      revision: 5,
      retentionDays: 30,
      traceparent: TRACE,
    }),
    ...encodeDelivery({
      slots: over.slots ?? [mintEndpointId(NOW)],
      run: 0,
      round: 0,
      attempt: over.attempt ?? 1,
      lane: LANE,
    }),
    ...over.extra,
  };
}

export function makeRecord(headers: Headers, over: { done?: number[]; value?: Buffer } = {}): FakeRecord {
  const completed: (number | undefined)[] = [];
  const record: FakeRecord = {
    topic: 'deliveries',
    partition: LANE,
    offset: 7,
    timestampMs: NOW,
    key: TENANT,
    value: over.value ?? Buffer.from('{"total": 12345678901234567890}'),
    headers,
    slots: (headers.ph_slots ?? '').split(',').length,
    isDone: (slot) => over.done?.includes(slot) ?? false,
    complete: (slot) => void completed.push(slot),
    completed,
    live: true,
    held: false,
    heldForMs: () => 0,
    mayStillSettle: () => record.held,
    passOver: () => {},
  };
  return record;
}

/** What attempts and settling see of a slot; the rest of it is the scheduler's. */
export function slotOf(work: DeliveryWork, index = 0): DeliverySlot {
  return { work, index, endpointId: work.endpointIds[index]! } as DeliverySlot;
}

/** A slot and the record it came in. */
export function makeSlot(over: Parameters<typeof makeHeaders>[0] = {}) {
  const record = makeRecord(makeHeaders(over));
  return { slot: slotOf(decodeWork(record)), record };
}

export function makeEndpoint(over: Partial<EndpointConfig> = {}): EndpointConfig {
  return {
    endpointId: mintEndpointId(NOW),
    tenantId: TENANT,
    url: 'https://receiver.example/hooks?a=1',
    state: 'active',
    stateReason: null,
    pauseMode: null,
    secrets: [{ text: SECRET, expiresAtMs: null }],
    method: 'POST',
    headers: [],
    retryScheduleMs: null,
    attemptTimeoutMs: null,
    maxConcurrency: null,
    maxPerSec: null,
    maxRetryMs: null,
    versions: [],
    ...over,
  };
}

export function makeTenant(
  endpoints: readonly EndpointConfig[],
  over: Partial<TenantConfig> = {},
): TenantConfig {
  return {
    tenantId: TENANT,
    revision: 5,
    lanes: [LANE],
    drainingLanes: [],
    lanesRevision: 0,
    cancellations: [],
    retentionDays: 30,
    quotas: {
      maxEventsPerSec: 100,
      maxConcurrentDeliveries: 50,
      maxDlqSize: 100,
      maxWebhooks: 1_000,
      dlqPolicy: 'refuse',
    },
    endpoints: new Map(endpoints.map((endpoint) => [endpoint.endpointId, endpoint])),
    ...over,
  };
}

export function makeMade(over: Partial<Made> = {}): Made {
  return {
    attemptId: mintEventId(NOW),
    deliveryId: 'delivery',
    outcome: { kind: 'success', status: 200 },
    durationMs: 12.4,
    timing: makeTiming(12.4),
    revision: 5,
    headers: null,
    body: Buffer.alloc(0),
    traceparent: TRACE,
    scheduleMs: null,
    maxRetryMs: null,
    lanes: [LANE],
    ...over,
  };
}
