import { decodeEvent, type EventMeta, RecordFormatError, routedEvent } from '@posthorn/contracts';
import type { PartitionHandler, TrackedRecord } from '@posthorn/kafka';
import { failpoint, type Tracing } from '@posthorn/runtime';
import { cutIntoRecords, type LaneSlots } from '../cut-into-records.ts';
import type { InFlight } from '../in-flight.ts';
import type { RareWarning } from '../rare-warning.ts';
import { Abandoned, type Send } from '../send.ts';
import type { SetAside } from '../set-aside.ts';
import type { FindConfig } from './find-config.ts';
import { matchEndpoints } from './match-endpoints.ts';
import { type PublishOptions, publishDeliveries } from './publish-deliveries.ts';
import { type PutAsideOptions, putAside } from './put-aside.ts';

export interface FanOutOptions extends PublishOptions, PutAsideOptions {
  readonly findConfig: FindConfig;
  readonly inFlight: InFlight;
  readonly send: Send;
  readonly setAside: SetAside;
  readonly tracing: Tracing;
  readonly warnPutAside: RareWarning;
  readonly observe: FanOutObserver;
}

export interface FanOutObserver {
  fannedOut(records: number, slots: number, sinceAcceptedMs: number): void;
  putAside(): void;
}

/** One handler for every partition of `events`: what is under way is bounded over all of them. */
export function createFanOut(options: FanOutOptions): PartitionHandler {
  return {
    offer: (record) => options.inFlight.take(record, () => fanOut(options, record)),
    // What is under way notices by `record.live`.
    lost: () => undefined,
  };
}

/** decode, look up, match, publish, complete. Never rejects. */
async function fanOut(options: FanOutOptions, record: TrackedRecord): Promise<void> {
  try {
    const event = decodeEvent(record.headers);
    const found = await options.findConfig(event);
    switch (found.kind) {
      case 'found': {
        const matched = matchEndpoints(found.config, event, routedEvent(event, record.value));
        await publish(options, record, event, cutIntoRecords(matched, found.config.lanes));
        break;
      }
      case 'unavailable':
        await putAsideUntilKnown(options, record, event, found.reason);
        break;
      case 'unknown_tenant':
        return await options.setAside(record, 'unknown_tenant');
      default:
        found satisfies never;
    }
    failpoint('after-fan-out-publish');
    record.complete();
  } catch (error) {
    if (error instanceof Abandoned) return;
    const reason = error instanceof RecordFormatError ? 'malformed' : 'internal_error';
    await options.setAside(record, reason, error);
  }
}

async function publish(
  options: FanOutOptions,
  record: TrackedRecord,
  event: EventMeta,
  records: readonly LaneSlots[],
): Promise<void> {
  const { clock, tracing, observe } = options;
  const hop = tracing.hop('fan out event', tracing.begin(event.traceparent), {
    'posthorn.event_id': event.eventId,
  });
  await publishDeliveries(options, record, { ...event, traceparent: hop.traceparent }, records);
  hop.end();
  const slots = records.reduce((sum, each) => sum + each.slots.length, 0);
  observe.fannedOut(records.length, slots, clock.nowMs() - record.timestampMs);
}

async function putAsideUntilKnown(
  options: FanOutOptions,
  record: TrackedRecord,
  event: EventMeta,
  reason: string,
): Promise<void> {
  await options.send(record, putAside(options, event.tenantId, record));
  options.observe.putAside();
  options.warnPutAside({ tenant_id: event.tenantId, event_id: event.eventId, reason });
}
