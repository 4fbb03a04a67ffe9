import { mintEventId, OPERATOR_TENANT_ID } from '@posthorn/contracts';
import type { ChangedCount, DeadLetterColumns, NewOperationalEvent, WrittenDeadLetter } from '@posthorn/db';

/** Shares of `max_dlq_size` that are told about, each time they are reached from below. */
const QUOTA_WARNINGS_PERCENT = [50, 80] as const;

/** What operators may subscribe to. Each tells about a tenant of theirs, never about the operator's own. */
export const OPERATIONAL_EVENT_TYPES = [
  'posthorn.dead_letter.created',
  'posthorn.endpoint.disabled',
  'posthorn.quota.warning',
] as const;
type OperationalEventType = (typeof OPERATIONAL_EVENT_TYPES)[number];

function announcement(
  nowMs: number,
  type: OperationalEventType,
  tenantId: string,
  key: (eventId: string) => string,
  payload: NewOperationalEvent['payload'],
): NewOperationalEvent {
  const eventId = mintEventId(nowMs);
  return {
    eventId,
    type,
    dedupeKey: `${type} ${key(eventId)}`,
    tenantId,
    payload: { tenant_id: tenantId, ...payload },
  };
}

export function announceDeadLetters(
  nowMs: number,
  columns: DeadLetterColumns,
  places: ReadonlyMap<string, number>,
  written: readonly WrittenDeadLetter[],
): NewOperationalEvent[] {
  const others = written.filter((letter) => letter.tenantId !== OPERATOR_TENANT_ID);
  return others.map(({ tenantId, deliveryId }) => {
    const at = places.get(deliveryId)!;
    const key = () => `${deliveryId} ${columns.round[at]}`;
    return announcement(nowMs, 'posthorn.dead_letter.created', tenantId, key, {
      delivery_id: deliveryId,
      event_id: columns.eventId[at]!,
      event_type: columns.eventType[at]!,
      webhook_id: columns.endpointId[at]!,
      reason: columns.reason[at]!,
      attempts: columns.attempts[at]!,
      failed_at: new Date(columns.failedAtMs[at]!).toISOString(),
    });
  });
}

/** One for each share of a quota that a count has reached from below. */
export function announceFillingQuotas(nowMs: number, counts: readonly ChangedCount[]): NewOperationalEvent[] {
  return counts.flatMap(({ tenantId, before, after, maxDlqSize }) =>
    QUOTA_WARNINGS_PERCENT.flatMap((percent) => {
      const from = Math.ceil((maxDlqSize * percent) / 100);
      if (from === 0 || before >= from || after < from) return [];
      const key = (eventId: string) => `${tenantId} ${percent} ${eventId}`;
      const payload = { quota: 'max_dlq_size', percent, limit: maxDlqSize, count: after };
      return [announcement(nowMs, 'posthorn.quota.warning', tenantId, key, payload)];
    }),
  );
}

/** `change` is the number of the change that disabled it. */
export function announceDisabled(
  nowMs: number,
  tenantId: string,
  endpointId: string,
  reason: string,
  change: number,
): NewOperationalEvent {
  const key = () => `${endpointId} ${change}`;
  return announcement(nowMs, 'posthorn.endpoint.disabled', tenantId, key, {
    webhook_id: endpointId,
    reason,
  });
}
