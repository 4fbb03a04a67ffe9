import {
  type DeadLetterReason,
  deriveDeliveryId,
  type FailureClass,
  mintEventId,
  standingOrder,
} from '@posthorn/contracts';
import type { TestApi } from './api.ts';

export interface RecordedFailure {
  readonly event_id: string;
  readonly delivery_id: string;
  readonly attempt_id: string;
}

export interface FailureOf {
  readonly reason?: DeadLetterReason;
  readonly failure?: FailureClass;
  readonly eventType?: string;
  /** Milliseconds before now. */
  readonly agoMs?: number;
}

/** What the recorder writes of an event whose one delivery failed for good. */
export async function recordFailure(
  { database: { sql } }: TestApi,
  tenantId: string,
  endpointId: string,
  {
    reason = 'attempts_exhausted',
    failure = 'http_5xx',
    eventType = 'order.created',
    agoMs = 0,
  }: FailureOf = {},
): Promise<RecordedFailure> {
  const atMs = Date.now() - agoMs;
  const at = new Date(atMs);
  const eventId = mintEventId(atMs);
  const attemptId = mintEventId(atMs);
  const deliveryId = deriveDeliveryId(eventId, endpointId, 0);
  const of = {
    tenant_id: tenantId,
    event_id: eventId,
    retention_days: 30,
    day: at.toISOString().slice(0, 10),
  };
  const to = { ...of, endpoint_id: endpointId, delivery_id: deliveryId, event_type: eventType, run: 0 };
  const standing = standingOrder({ state: 'failed', round: 0, attempt: 1 });
  const last = { last_failure: failure, last_status: 500, last_error: 'answered 500' };
  await sql`insert into events ${sql({ ...of, type: eventType, labels: {} as never, content_type: 'application/json', payload: Buffer.from('{"n":1}'), occurred_at: at, accepted_at: at, revision: 1 })}`;
  await sql`insert into deliveries ${sql({ ...to, ...last, state: 'failed', round: 0, attempt: 1, standing, updated_at: at })}`;
  await sql`insert into attempts ${sql({ ...to, attempt_id: attemptId, round: 0, attempt: 1, state: 'failed', started_at: at, duration_ms: 5, status: 500, failure, error: 'answered 500', trace_id: '0'.repeat(32) })}`;
  await sql`insert into attempt_days (attempt_day, day) values (${of.day}, ${of.day}) on conflict do nothing`;
  await sql`insert into dead_letters ${sql({ ...to, ...last, round: 0, standing, reason, attempts: 1, failed_at: at, topic: 'dead-letters', partition: 0, offset: atMs })}`;
  return { event_id: eventId, delivery_id: deliveryId, attempt_id: attemptId };
}
