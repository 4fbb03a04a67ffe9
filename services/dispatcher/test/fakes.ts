import { type EventMeta, encodeEvent, type Headers, mintEndpointId, mintEventId } from '@posthorn/contracts';
import type { SetAsideRecord } from '@posthorn/db';
import type { OutboundRecord, ProduceAck, TrackedRecord } from '@posthorn/kafka';
import { createTracing, type Logger, systemClock, type Tracing } from '@posthorn/runtime';
import type { TenantConfig } from '@posthorn/tenant-config';
import { createSetAside, type Phase, type SetAsideOptions } from '../src/set-aside.ts';

/** What unit tests put in the place of Kafka, Postgres and the log. */

export const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';

export function eventMeta(given: Partial<EventMeta> = {}): EventMeta {
  return {
    eventId: mintEventId(1_700_000_000_000),
    tenantId: 'acme',
    type: 'order.created',
    labels: {},
    occurredAt: '2026-01-01T00:00:00.000Z',
    contentType: 'application/json',
    revision: 5,
    retentionDays: 30,
    traceparent: TRACEPARENT,
    ...given,
  };
}

export interface FakeRecord extends TrackedRecord {
  readonly completed: boolean;
  live: boolean;
}

export function fakeRecord(given: Partial<Omit<TrackedRecord, 'complete'>> = {}): FakeRecord {
  let completed = false;
  return {
    topic: 'events',
    partition: 0,
    offset: 0,
    timestampMs: 0,
    key: 'acme',
    value: Buffer.from('{"n":12345678901234567890}'),
    headers: encodeEvent(eventMeta()),
    slots: 1,
    isDone: () => false,
    heldForMs: () => 0,
    mayStillSettle: () => false,
    passOver() {},
    complete() {
      completed = true;
    },
    get completed() {
      return completed;
    },
    ...given,
    live: given.live ?? true,
  };
}

export interface FakeProducer {
  readonly sent: OutboundRecord[];
  /** Answers every send from now on; by default all are acknowledged at once. */
  answer(respond: (record: OutboundRecord) => Promise<ProduceAck>): void;
  send(record: OutboundRecord): Promise<ProduceAck>;
}

export function fakeProducer(appendTimeMs: () => number | null = () => null): FakeProducer {
  const sent: OutboundRecord[] = [];
  const acknowledge = async ({ partition }: OutboundRecord) => ({
    partition,
    offset: sent.length - 1,
    appendTimeMs: appendTimeMs(),
  });
  let respond: (record: OutboundRecord) => Promise<ProduceAck> = acknowledge;
  return {
    sent,
    answer(given) {
      respond = given;
    },
    send(record) {
      sent.push(record);
      return respond(record);
    },
  };
}

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

export function fakeLog(): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: LogLine['level']) => (fields: Record<string, unknown>, message: string) =>
    void lines.push({ level, message, fields });
  return { log: { info: at('info'), warn: at('warn'), error: at('error') } as unknown as Logger, lines };
}

export const noTracing: Tracing = createTracing(null, { samplePercent: 0 });

/** A tenant whose endpoints want every event, from revision 1 on. */
export function tenantConfig(endpoints: number, given: Partial<TenantConfig> = {}): TenantConfig {
  const endpointIds = Array.from({ length: endpoints }, (_, i) => mintEndpointId(i));
  const version = { validFrom: 1, validUntil: null, eventTypes: ['*'], labels: {} };
  return {
    tenantId: 'acme',
    revision: 5,
    lanes: [3],
    drainingLanes: [],
    lanesRevision: 1,
    cancellations: [],
    retentionDays: 30,
    quotas: {} as TenantConfig['quotas'],
    endpoints: new Map(
      endpointIds.map((endpointId) => [
        endpointId,
        {
          endpointId,
          tenantId: 'acme',
          url: 'https://example.com/',
          state: 'active',
          stateReason: null,
          pauseMode: null,
          secrets: [],
          method: 'POST',
          headers: [],
          retryScheduleMs: null,
          attemptTimeoutMs: null,
          maxConcurrency: null,
          maxPerSec: null,
          maxRetryMs: null,
          versions: [version],
        },
      ]),
    ),
    ...given,
  };
}

/** A promise and the two ends that settle it. */
export function gate<T = void>() {
  let open!: (value: T) => void;
  let fail!: (error: Error) => void;
  const passed = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { passed, open, fail };
}

export const withHeaders = (headers: Headers): Headers => ({ ...encodeEvent(eventMeta()), ...headers });

/** Sets aside with a table that takes every row at once, unless it is given another. */
export function fakeSetAside(phase: Phase, log: Logger, given: Partial<SetAsideOptions> = {}) {
  const reasons: string[] = [];
  const rows: SetAsideRecord[] = [];
  const unkept: Phase[] = [];
  const setAside = createSetAside({
    phase,
    log,
    count: (_, reason) => reasons.push(reason),
    keep: async (row) => void rows.push(row),
    unkept: (of) => unkept.push(of),
    maxTryMs: 1_000,
    maxRows: 2,
    monotonicMs: () => systemClock.monotonicMs(),
    ...given,
  });
  return { setAside, reasons, rows, unkept };
}
