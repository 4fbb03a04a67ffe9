import type { TrackedRecord } from '@posthorn/kafka';
import type { Logger } from '@posthorn/runtime';

export type Phase = 'fan_out' | 'release' | 'replay';
export type SetAsideReason = 'malformed' | 'unknown_tenant' | 'no_such_lane' | 'internal_error';

/**
 * Takes a record out of the way that can never be handled: said aloud, counted and completed, so that its partition
 * advances. It stays in its topic until that topic's retention ends; topic, partition and offset find it.
 */
export type SetAside = (record: TrackedRecord, reason: SetAsideReason, error?: unknown) => void;

export function createSetAside(
  phase: Phase,
  log: Logger,
  count: (phase: Phase, reason: SetAsideReason) => void,
): SetAside {
  return (record, reason, error) => {
    const { topic, partition, offset, headers } = record;
    log.error(
      {
        err: error,
        phase,
        reason,
        topic,
        partition,
        offset,
        tenant_id: headers.ce_tenant,
        event_id: headers.ce_id,
      },
      'record set aside',
    );
    count(phase, reason);
    record.complete();
  };
}
