import { asksForReplay, type EndpointId, RecordFormatError } from '@posthorn/contracts';
import type { PartitionHandler, TrackedRecord } from '@posthorn/kafka';
import { traceIdOf } from '@posthorn/runtime';
import type { TenantConfig, TenantConfigs } from '@posthorn/tenant-config';
import type { InFlight } from '../in-flight.ts';
import { Abandoned } from '../send.ts';
import type { SetAside, SetAsideReason } from '../set-aside.ts';
import { type Awaited, type AwaitRecording, createAwaitRecording } from './await-recording.ts';
import {
  type OpenedRound,
  type Opening,
  type OpenRoundOptions,
  openRound,
  untilAnswered,
} from './open-round.ts';
import { type PublishRoundsOptions, publishRounds } from './publish-rounds.ts';
import { BadMac, type ReplayRequest, readRequest } from './read-request.ts';

export interface ReplayOptions extends OpenRoundOptions, PublishRoundsOptions {
  /** Of the key ring, of which any will do. */
  readonly macKeys: readonly Uint8Array[];
  readonly configs: Pick<TenantConfigs, 'get'>;
  readonly inFlight: InFlight;
  /** Dead letters come to the same handler: those that ask for it are replayed. */
  readonly deadLettersTopic: string;
  readonly setAside: SetAside;
  /** Replays of deliveries that nobody has recorded yet. */
  readonly maxUnknownRecords: number;
  readonly maxUnknownBytes: number;
  /** How long each is waited for. */
  readonly maxUnknownWaitMs: number;
  observe(result: ReplayResult): void;
}

export type ReplayResult = OpenedRound['kind'] | 'refused';

export interface Replays extends PartitionHandler {
  /** What waits for the recorder. */
  readonly unknown: Pick<AwaitRecording<never>, 'records' | 'bytes'>;
}

/** A record with what was read of it, and the endpoints that are not decided yet. */
interface Undecided extends Awaited {
  readonly record: TrackedRecord;
  readonly request: ReplayRequest;
  readonly config: TenantConfig;
  endpointIds: readonly EndpointId[];
}

const TENANT_SHARE = 0.25;

/** One handler for every partition of `replay` and `dead-letters`: what is under way is bounded over all of them. */
export function createReplays(options: ReplayOptions): Replays {
  const unknown = createAwaitRecording<Undecided>({
    maxRecords: options.maxUnknownRecords,
    maxTenantRecords: Math.max(1, Math.floor(options.maxUnknownRecords * TENANT_SHARE)),
    maxBytes: options.maxUnknownBytes,
    maxWaitMs: options.maxUnknownWaitMs,
    monotonicMs: () => options.clock.monotonicMs(),
    ask: (undecided, mayWait) => askAgain(options, undecided, mayWait),
  });
  return {
    offer(record) {
      if (record.topic === options.deadLettersTopic && !asksForReplay(record.headers)) {
        record.complete();
        return true;
      }
      return options.inFlight.take(record, () => replay(options, unknown, record));
    },
    // What is under way notices by `record.live`.
    lost: () => undefined,
    unknown,
  };
}

/** read, look up, decide, publish, complete. Never rejects. */
async function replay(
  options: ReplayOptions,
  unknown: AwaitRecording<Undecided>,
  record: TrackedRecord,
): Promise<void> {
  await orSetAside(options, record, async () => {
    const request = readRequest(options.macKeys, record);
    const { tenantId } = request.event;
    const config = await findConfig(options, record, tenantId);
    if (!config) return options.setAside(record, 'unknown_tenant');
    const { endpointIds } = request;
    const undecided = { record, request, config, endpointIds, tenantId, bytes: record.value.length };
    if (!(await decide(options, undecided, options.maxUnknownWaitMs > 0))) await unknown.wait(undecided);
  });
}

/** Whether it is settled, by whatever came of it. Never rejects. */
async function askAgain(options: ReplayOptions, undecided: Undecided, mayWait: boolean): Promise<boolean> {
  let decided = true;
  await orSetAside(options, undecided.record, async () => {
    decided = await decide(options, undecided, mayWait);
  });
  return decided;
}

/** Opens what can be opened and publishes it; true when nothing is left. @throws Abandoned */
async function decide(options: ReplayOptions, undecided: Undecided, mayWait: boolean): Promise<boolean> {
  const { record, request, config } = undecided;
  const opened: OpenedRound[] = [];
  const unrecorded: EndpointId[] = [];
  for (const endpointId of undecided.endpointIds) {
    const opening = await openRound(options, { record, request, endpointId, mayWait });
    if (opening.kind === 'unrecorded') {
      unrecorded.push(endpointId);
      continue;
    }
    if (opening.kind !== 'refused') opened.push(opening);
    report(options, record, request, opening);
  }
  if (opened.length > 0) await publishRounds(options, record, request, opened, config);
  undecided.endpointIds = unrecorded;
  if (unrecorded.length > 0) return false;
  record.complete();
  return true;
}

/** The configuration of the event's tenant; undefined for a tenant that is unknown. @throws Abandoned */
function findConfig(
  options: ReplayOptions,
  record: TrackedRecord,
  tenantId: string,
): Promise<TenantConfig | undefined> {
  return untilAnswered(options, record, async () => {
    const found = await options.configs.get(tenantId);
    if (found.kind === 'unavailable') throw new Error(found.reason);
    return found.kind === 'found' ? found.config : undefined;
  });
}

async function orSetAside(
  { setAside }: ReplayOptions,
  record: TrackedRecord,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Abandoned)) await setAside(record, reasonOf(error), error);
  }
}

function reasonOf(error: unknown): SetAsideReason {
  if (error instanceof BadMac) return 'bad_mac';
  return error instanceof RecordFormatError ? 'malformed' : 'internal_error';
}

function report(
  { log, observe }: ReplayOptions,
  record: TrackedRecord,
  { event }: ReplayRequest,
  opening: Exclude<Opening, { kind: 'unrecorded' }>,
): void {
  observe(opening.kind);
  const fields = {
    tenant_id: event.tenantId,
    event_id: event.eventId,
    delivery_id: opening.deliveryId,
    webhook_id: opening.endpointId,
    trace_id: traceIdOf(event.traceparent),
  };
  if (opening.kind === 'refused') {
    const { topic, partition, offset } = record;
    log.warn({ ...fields, reason: opening.reason, topic, partition, offset }, 'replay refused');
  } else {
    log.info({ ...fields, run: opening.run, round: opening.round }, 'delivery replayed');
  }
}
