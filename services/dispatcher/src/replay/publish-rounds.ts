import { encodeDelivery, eventHeaders, type Headers, type JournalEntry, laneOf } from '@posthorn/contracts';
import type { JournalWriter } from '@posthorn/journal';
import type { TrackedRecord } from '@posthorn/kafka';
import type { Clock, Tracing } from '@posthorn/runtime';
import type { TenantConfig } from '@posthorn/tenant-config';
import { dispatchedEntry } from '../fan-out/publish-deliveries.ts';
import { writeEntry } from '../journal-entry.ts';
import type { Send } from '../send.ts';
import type { OpenedRound } from './open-round.ts';
import type { ReplayRequest } from './read-request.ts';

export interface PublishRoundsOptions {
  readonly send: Send;
  readonly journal: JournalWriter;
  readonly deliveriesTopic: string;
  readonly tracing: Tracing;
  readonly clock: Clock;
}

/**
 * Publishes what was opened, with fresh budgets and nothing of the copy but the event's own headers and its bytes, and
 * journals it. Resolves when all of it is acknowledged.
 * @throws Abandoned
 */
export async function publishRounds(
  options: PublishRoundsOptions,
  record: TrackedRecord,
  request: ReplayRequest,
  rounds: readonly OpenedRound[],
  config: TenantConfig,
): Promise<void> {
  const { event } = request;
  const hop = options.tracing.hop('replay delivery', options.tracing.begin(event.traceparent));
  const headers: Headers = {
    ...eventHeaders(record.headers),
    ph_revision: String(revisionOf(request, config)),
    traceparent: hop.traceparent,
  };
  const under = rounds.flatMap((opened) => {
    const { endpointId, run, round } = opened;
    const lane = laneOf(endpointId, config.lanes);
    const delivery = encodeDelivery({ slots: [endpointId], run, round, attempt: 1, lane });
    return [
      options.send(record, {
        topic: options.deliveriesTopic,
        partition: lane,
        key: event.tenantId,
        value: record.value,
        headers: { ...headers, ...delivery },
      }),
      writeEntry(options.journal, record, entryOf(request, opened, options.clock.nowMs())),
    ];
  });
  await Promise.all<unknown>(under);
  hop.end();
}

/**
 * A cancellation holds for what was asked for before it. The API and jobs stamp when that was; a copy made by hand
 * still has the event's own revision, and is asked for now.
 */
const revisionOf = ({ replayId, event }: ReplayRequest, config: TenantConfig): number =>
  replayId === null ? Math.max(config.revision, event.revision) : event.revision;

function entryOf({ event }: ReplayRequest, opened: OpenedRound, atMs: number): JournalEntry {
  const { endpointId, deliveryId, run, round } = opened;
  if (run === 0 && round === 0) return dispatchedEntry(event, [endpointId], atMs);
  return {
    kind: 'replayed',
    tenantId: event.tenantId,
    eventId: event.eventId,
    eventType: event.type,
    retentionDays: event.retentionDays,
    atMs,
    deliveryId,
    endpointId,
    run,
    round,
  };
}
