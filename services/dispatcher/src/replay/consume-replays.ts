import {
  decodeEvent,
  decodeSlots,
  type EventMeta,
  encodeDelivery,
  eventHeaders,
  laneOf,
  RecordFormatError,
} from '@posthorn/contracts';
import type { JournalWriter } from '@posthorn/journal';
import type { PartitionHandler, TrackedRecord } from '@posthorn/kafka';
import { type Tracing, traceIdOf } from '@posthorn/runtime';
import type { TenantConfigs } from '@posthorn/tenant-config';
import type { InFlight } from '../in-flight.ts';
import { writeEntry } from '../journal-entry.ts';
import { Abandoned, type Send } from '../send.ts';
import type { SetAside } from '../set-aside.ts';
import {
  type OpenedRound,
  type Opening,
  type OpenRoundOptions,
  openRound,
  untilAnswered,
} from './open-round.ts';

export interface ReplayOptions extends OpenRoundOptions {
  readonly configs: Pick<TenantConfigs, 'get'>;
  readonly inFlight: InFlight;
  readonly send: Send;
  readonly journal: JournalWriter;
  readonly deliveriesTopic: string;
  readonly setAside: SetAside;
  readonly tracing: Tracing;
  observe(result: ReplayResult): void;
}

export type ReplayResult = OpenedRound['kind'] | 'refused';

/** One handler for every partition of `replay`: what is under way is bounded over all of them. */
export function createReplays(options: ReplayOptions): PartitionHandler {
  return {
    offer: (record) => options.inFlight.take(record, () => replay(options, record)),
    // What is under way notices by `record.live`.
    lost: () => undefined,
  };
}

/** decode, look up, open rounds, publish, complete. Never rejects. */
async function replay(options: ReplayOptions, record: TrackedRecord): Promise<void> {
  try {
    const event = decodeEvent(record.headers);
    const endpointIds = new Set(decodeSlots(record.headers));
    const lanes = await findLanes(options, record, event);
    if (!lanes) return options.setAside(record, 'unknown_tenant');
    const opened: OpenedRound[] = [];
    for (const endpointId of endpointIds) {
      const opening = await openRound(options, record, event, endpointId);
      if (opening.kind !== 'refused') opened.push(opening);
      report(options, record, event, opening, endpointId);
    }
    await publishRounds(options, record, event, opened, lanes);
    record.complete();
  } catch (error) {
    if (error instanceof Abandoned) return;
    options.setAside(record, error instanceof RecordFormatError ? 'malformed' : 'internal_error', error);
  }
}

/** The lanes of the event's tenant; undefined for a tenant that is unknown. @throws Abandoned */
function findLanes(
  options: ReplayOptions,
  record: TrackedRecord,
  event: EventMeta,
): Promise<readonly number[] | undefined> {
  return untilAnswered(options, record, async () => {
    const found = await options.configs.get(event.tenantId);
    if (found.kind === 'unavailable') throw new Error(found.reason);
    return found.kind === 'found' ? found.config.lanes : undefined;
  });
}

async function publishRounds(
  options: ReplayOptions,
  record: TrackedRecord,
  event: EventMeta,
  rounds: readonly OpenedRound[],
  lanes: readonly number[],
): Promise<void> {
  const hop = options.tracing.hop('replay delivery', options.tracing.begin(event.traceparent));
  const headers = { ...eventHeaders(record.headers), traceparent: hop.traceparent };
  const under = rounds.flatMap((each) => {
    const { endpointId, run, round } = each;
    const lane = laneOf(endpointId, lanes);
    const delivery = encodeDelivery({ slots: [endpointId], run, round, attempt: 1, lane });
    return [
      options.send(record, {
        topic: options.deliveriesTopic,
        partition: lane,
        key: event.tenantId,
        value: record.value,
        headers: { ...headers, ...delivery },
      }),
      writeEntry(options.journal, record, replayedEntry(event, each, options.clock.nowMs())),
    ];
  });
  await Promise.all<unknown>(under);
  hop.end();
}

const replayedEntry = (
  event: EventMeta,
  { endpointId, deliveryId, run, round }: OpenedRound,
  atMs: number,
) => ({
  kind: 'replayed' as const,
  tenantId: event.tenantId,
  eventId: event.eventId,
  eventType: event.type,
  retentionDays: event.retentionDays,
  atMs,
  deliveryId,
  endpointId,
  run,
  round,
});

function report(
  { log, observe }: ReplayOptions,
  record: TrackedRecord,
  event: EventMeta,
  opening: Opening,
  endpointId: string,
): void {
  observe(opening.kind);
  const fields = {
    tenant_id: event.tenantId,
    event_id: event.eventId,
    delivery_id: opening.deliveryId,
    webhook_id: endpointId,
    trace_id: traceIdOf(event.traceparent),
  };
  if (opening.kind === 'refused') {
    const { topic, partition, offset } = record;
    log.warn({ ...fields, reason: opening.reason, topic, partition, offset }, 'replay refused');
  } else {
    log.info({ ...fields, run: opening.run, round: opening.round }, 'delivery replayed');
  }
}
