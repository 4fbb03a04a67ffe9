import type { Headers } from './header-fields.ts';
import type { EndpointId, TenantId } from './ids.ts';
import { tenantPartition } from './lanes.ts';
import { MAC_HEADER, recordMac } from './record-mac.ts';
import { type EventMeta, encodeEvent } from './records.ts';
import { encodeReplay } from './side-records.ts';

/** An event as the record keeps it. */
export interface StoredEvent
  extends Pick<EventMeta, 'eventId' | 'type' | 'labels' | 'contentType' | 'retentionDays'> {
  readonly occurredAt: Date;
  /** Whose event it is: another's than the delivery's at a system endpoint. */
  readonly tenantId: TenantId;
  readonly payload: Buffer;
}

export interface ReplayLayout {
  readonly macKey: Uint8Array;
  /** The topic `replay`, and how many partitions it has. */
  readonly topic: string;
  readonly partitions: number;
}

/** What is asked for, by whom, and as of which revision of the tenant's configuration. */
export interface AskedReplay extends Pick<EventMeta, 'revision' | 'traceparent'> {
  readonly slots: readonly EndpointId[];
  readonly replayId: string;
  readonly expect?: { readonly run: number; readonly round: number };
  readonly missing?: boolean;
}

/** The record in `replay` that asks for an event to be sent again, sealed; whoever asks, it is made here. */
export function buildReplay(
  { macKey, topic, partitions }: ReplayLayout,
  tenantId: TenantId,
  event: StoredEvent,
  asked: AskedReplay,
) {
  const headers: Headers = {
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
      ...(event.tenantId === tenantId ? {} : { sourceTenantId: event.tenantId }),
    }),
    ...encodeReplay(asked),
  };
  headers[MAC_HEADER] = recordMac(macKey, headers, event.payload);
  const partition = tenantPartition(tenantId, partitions);
  return { topic, partition, key: tenantId, value: event.payload, headers };
}
