import {
  decodeEvent,
  type EventMeta,
  RecordFormatError,
  type RoutedEvent,
  routedEvent,
} from '@posthorn/contracts';
import type { PartitionHandler, TrackedRecord } from '@posthorn/kafka';
import { failpoint, type Tracing } from '@posthorn/runtime';
import { cutIntoRecords, type LaneSlots } from '../cut-into-records.ts';
import type { InFlight } from '../in-flight.ts';
import { Abandoned } from '../send.ts';
import type { SetAside } from '../set-aside.ts';
import { matchEndpoints } from './match-endpoints.ts';
import { publishDeliveries } from './publish-deliveries.ts';
import { putAside } from './put-aside.ts';
import {
  type ReachSystemOptions,
  reachSystemEndpoints,
  type SystemObserver,
} from './reach-system-endpoints.ts';

export interface FanOutOptions extends ReachSystemOptions {
  readonly inFlight: InFlight;
  readonly setAside: SetAside;
  readonly tracing: Tracing;
  readonly observe: FanOutObserver;
}

export interface FanOutObserver extends SystemObserver {
  fannedOut(records: number, slots: number, sinceAcceptedMs: number): void;
}

/** One handler for every partition of `events`: what is under way is bounded over all of them. */
export function createFanOut(options: FanOutOptions): PartitionHandler {
  return {
    offer: (record) => options.inFlight.take(record, () => fanOut(options, record)),
    // What is under way notices by `record.live`.
    lost: () => undefined,
  };
}

/** decode, reach its tenant's endpoints and the system's, complete. Never rejects. */
async function fanOut(options: FanOutOptions, record: TrackedRecord): Promise<void> {
  try {
    const event = decodeEvent(record.headers);
    const routed = routedEvent(event, record.value);
    const reached = event.systemOnly ? 'reached' : await reachTenant(options, record, event, routed);
    if (reached === 'unknown_tenant') return await options.setAside(record, 'unknown_tenant');
    // What was put aside comes back whole.
    if (reached === 'reached' && event.systemRevision !== undefined)
      await reachSystemEndpoints(options, record, event, routed);
    failpoint('after-fan-out-publish');
    record.complete();
  } catch (error) {
    if (error instanceof Abandoned) return;
    const reason = error instanceof RecordFormatError ? 'malformed' : 'internal_error';
    await options.setAside(record, reason, error);
  }
}

/** look up, match, publish: the endpoints of the event's own tenant. @throws Abandoned */
async function reachTenant(
  options: FanOutOptions,
  record: TrackedRecord,
  event: EventMeta,
  routed: RoutedEvent,
): Promise<'reached' | 'put_aside' | 'unknown_tenant'> {
  const found = await options.findConfig(event);
  switch (found.kind) {
    case 'found': {
      const matched = matchEndpoints(found.config, event, routed);
      await publish(options, record, event, cutIntoRecords(matched, found.config.lanes));
      return 'reached';
    }
    case 'unavailable':
      await putAsideUntilKnown(options, record, event, found.reason);
      return 'put_aside';
    case 'unknown_tenant':
      return 'unknown_tenant';
    default:
      return found satisfies never;
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
