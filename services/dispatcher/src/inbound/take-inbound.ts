import {
  type EventMeta,
  encodeEvent,
  OPERATOR_TENANT_ID,
  RecordFormatError,
  tenantPartition,
} from '@posthorn/contracts';
import type { PartitionHandler, TrackedRecord } from '@posthorn/kafka';
import type { Tracing } from '@posthorn/runtime';
import { type EventCatalogue, hasSystemEndpoints, type TenantConfig } from '@posthorn/tenant-config';
import { createBackOff } from '../back-off.ts';
import type { FindConfig } from '../fan-out/find-config.ts';
import type { InFlight } from '../in-flight.ts';
import type { RareWarning } from '../rare-warning.ts';
import { Abandoned, type Send } from '../send.ts';
import type { SetAside, SetAsideReason } from '../set-aside.ts';
import type { InboundRate } from './inbound-rate.ts';
import { type InboundEvent, readInbound, TooLarge } from './read-inbound.ts';

export interface InboundOptions {
  readonly findConfig: FindConfig;
  readonly inFlight: InFlight;
  readonly send: Send;
  readonly setAside: SetAside;
  readonly rate: InboundRate;
  readonly catalogue: Pick<EventCatalogue, 'find' | 'loaded'>;
  /** Dead letters of a tenant that has filled half of its quota, else 0. */
  countDeadLetters(tenantId: string): number;
  readonly tracing: Tracing;
  readonly warnWaiting: RareWarning;
  readonly eventsTopic: string;
  readonly eventPartitions: number;
  observe(): void;
}

/** A record that cannot be an event, and why. */
interface Refusal {
  readonly kind: 'refused';
  readonly reason: SetAsideReason;
  readonly error?: Error;
}

/** One handler for every partition of `inbound`: what is under way is bounded over all of them. */
export function createInbound(options: InboundOptions): PartitionHandler {
  return {
    offer: (record) => options.inFlight.take(record, () => takeInbound(options, record)),
    // What is under way notices by `record.live`.
    lost: () => undefined,
  };
}

/** read, look up, admit, stamp, publish, complete: what ingest does of a request. Never rejects. */
async function takeInbound(options: InboundOptions, record: TrackedRecord): Promise<void> {
  try {
    const event = readInbound(record);
    const tenant = await findTenant(options, record, event);
    if (tenant.kind === 'refused') return await options.setAside(record, tenant.reason, tenant.error);
    const refusal = admit(options, tenant.config, event, record.timestampMs);
    if (refusal) return await options.setAside(record, refusal.reason, refusal.error);
    await publish(options, record, stamp(event, tenant));
    record.complete();
    options.observe();
  } catch (error) {
    if (error instanceof Abandoned) return;
    await options.setAside(record, reasonOf(error), error);
  }
}

function reasonOf(error: unknown): SetAsideReason {
  if (error instanceof RecordFormatError) return 'malformed';
  return error instanceof TooLarge ? 'too_large' : 'internal_error';
}

interface Found {
  readonly kind: 'found';
  readonly config: TenantConfig;
  /** The operator's own; null where there is none. */
  readonly operator: TenantConfig | null;
}

/** @throws Abandoned */
async function findTenant(
  options: InboundOptions,
  record: TrackedRecord,
  { tenantId }: InboundEvent,
): Promise<Found | Refusal> {
  if (tenantId === OPERATOR_TENANT_ID) return { kind: 'refused', reason: 'tenant_reserved' };
  const config = await untilKnown(options, record, tenantId);
  if (config === null || config.state === 'deleted') return { kind: 'refused', reason: 'unknown_tenant' };
  if (config.state === 'disabled') return { kind: 'refused', reason: 'tenant_disabled' };
  return { kind: 'found', config, operator: await untilKnown(options, record, OPERATOR_TENANT_ID) };
}

const FIRST_RETRY_MS = 200;

/** A log can wait: while Postgres is away, so does what it would have to say. Null for a tenant that is none. */
async function untilKnown(
  { findConfig, catalogue, warnWaiting }: InboundOptions,
  record: TrackedRecord,
  tenantId: string,
): Promise<TenantConfig | null> {
  const backOff = createBackOff(FIRST_RETRY_MS);
  for (;;) {
    const found = await findConfig({ tenantId, revision: 0 });
    if (found.kind === 'unknown_tenant') return null;
    if (found.kind === 'found' && isWhole(found.config, catalogue)) return found.config;
    const reason = found.kind === 'found' ? 'event types have not been read yet' : found.reason;
    warnWaiting({ tenant_id: tenantId, reason });
    await backOff.wait();
    if (!record.live) throw new Abandoned();
  }
}

/** A tenant that refuses unknown types cannot be judged by without them. */
const isWhole = ({ unknownEventTypes }: TenantConfig, { loaded }: InboundOptions['catalogue']): boolean =>
  loaded || unknownEventTypes !== 'reject';

/** What ingest would have refused is not let in here. */
function admit(
  options: InboundOptions,
  tenant: TenantConfig,
  { tenantId, type }: InboundEvent,
  appendTimeMs: number,
): Refusal | null {
  const { maxEventsPerSec, maxDlqSize, dlqPolicy } = tenant.quotas;
  const known = options.catalogue.find(type);
  if (tenant.unknownEventTypes === 'reject' && (known === undefined || known.state === 'archived'))
    return { kind: 'refused', reason: 'unknown_type' };
  const deadLetters = dlqPolicy === 'refuse' ? options.countDeadLetters(tenantId) : 0;
  if (deadLetters > 0 && deadLetters >= maxDlqSize)
    return overQuota(`${deadLetters} dead letters, max_dlq_size is ${maxDlqSize}`);
  if (!options.rate.admit(tenantId, maxEventsPerSec, appendTimeMs))
    return overQuota(`more than ${maxEventsPerSec} events in a second (max_events_per_sec)`);
  return null;
}

const overQuota = (detail: string): Refusal => ({
  kind: 'refused',
  reason: 'over_quota',
  error: new Error(detail),
});

function stamp(event: InboundEvent, { config, operator }: Found): EventMeta {
  return {
    ...event,
    revision: config.revision,
    retentionDays: config.retentionDays,
    ...(operator && hasSystemEndpoints(operator) ? { systemRevision: operator.revision } : {}),
  };
}

async function publish(options: InboundOptions, record: TrackedRecord, event: EventMeta): Promise<void> {
  const { tracing, eventsTopic, eventPartitions } = options;
  const { tenantId, eventId } = event;
  const hop = tracing.hop('take event from kafka', tracing.begin(event.traceparent || undefined), {
    'posthorn.event_id': eventId,
  });
  await options.send(record, {
    topic: eventsTopic,
    partition: tenantPartition(tenantId, eventPartitions),
    key: tenantId,
    value: record.value,
    headers: encodeEvent({ ...event, traceparent: hop.traceparent }),
  });
  hop.end();
}
