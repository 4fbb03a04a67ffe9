import {
  type EndpointId,
  type EventId,
  encodeEvent,
  encodeReplay,
  MAC_HEADER,
  recordMac,
  tenantPartition,
} from '@posthorn/contracts';
import type { EventPayload } from '@posthorn/db';
import type { OutboundRecord } from '@posthorn/kafka';

export interface ReplayTarget {
  readonly tenantId: string;
  readonly eventId: EventId;
  readonly endpointId: EndpointId;
  /** Where the delivery stood when it was chosen; null for what was never sent. */
  readonly expect: { readonly run: number; readonly round: number } | null;
}

export interface ReplayRecordOptions {
  readonly macKey: Uint8Array;
  readonly topic: string;
  readonly partitions: number;
}

/** A record for `replay` that asks for one delivery, as of the tenant's configuration at `revision`. */
export function buildReplayRecord(
  { macKey, topic, partitions }: ReplayRecordOptions,
  target: ReplayTarget,
  event: EventPayload,
  asked: { readonly replayId: string; readonly revision: number; readonly traceparent: string },
): OutboundRecord {
  const { tenantId, endpointId, expect } = target;
  const headers = {
    ...encodeEvent({
      eventId: event.eventId,
      tenantId,
      type: event.type,
      labels: event.labels,
      occurredAt: event.occurredAt.toISOString(),
      contentType: event.contentType,
      revision: asked.revision,
      retentionDays: event.retentionDays,
      traceparent: asked.traceparent,
    }),
    ...encodeReplay({
      slots: [endpointId],
      replayId: asked.replayId,
      ...(expect ? { expect } : { missing: true }),
    }),
  };
  return {
    topic,
    partition: tenantPartition(tenantId, partitions),
    key: tenantId,
    value: event.payload,
    headers: { ...headers, [MAC_HEADER]: recordMac(macKey, headers, event.payload) },
  };
}
