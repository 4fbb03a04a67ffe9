import { createHash } from 'node:crypto';
import { RecordFormatError } from './header-fields.ts';
import type { DeliveryId, EndpointId, EventId, TenantId } from './ids.ts';
import type { DeadLetterReason, FailureClass } from './outcome.ts';

/**
 * The journal: what happened to deliveries, in batches, for the recorder. A record's value is
 * `{"v":1,"entries":[…],"newer":[…]}` (`newer` only when there are any), 512 KB at most, in the partition of its tenants so that one delivery's entries keep their
 * order per producer. Producers race each other: an entry says all that is needed to create the row it is about.
 */
export type JournalEntry =
  | DispatchedEntry
  | AttemptedEntry
  | DeadLetteredEntry
  | CancelledEntry
  | ReplayedEntry
  | DeadLetterRemovedEntry
  | PurgedEntry
  | LoadEntry
  | CircuitEntry
  | LaneDrainedEntry;

interface DeliverySubject {
  readonly tenantId: TenantId;
  readonly eventId: EventId;
  readonly eventType: string;
  readonly retentionDays: number;
  /** Unix milliseconds by the writer's clock. */
  readonly atMs: number;
}

/** An event was fanned out: these deliveries exist (run 0, pending). None matched: an empty list. */
export interface DispatchedEntry extends DeliverySubject {
  readonly kind: 'dispatched';
  readonly endpointIds: readonly EndpointId[];
  /** Unix milliseconds at which the first attempt is due: the deliveries are `scheduled` until then. */
  readonly dueAtMs?: number;
}

/** One HTTP request was made for a delivery. */
export interface AttemptedEntry extends DeliverySubject {
  readonly kind: 'attempted';
  /** The request's own id (UUIDv7). */
  readonly attemptId: string;
  readonly deliveryId: DeliveryId;
  readonly endpointId: EndpointId;
  readonly run: number;
  readonly round: number;
  readonly attempt: number;
  /** Where this attempt left the delivery. */
  readonly state: 'success' | 'processing' | 'failed';
  readonly failure: FailureClass | null;
  readonly status: number | null;
  readonly error: string | null;
  readonly durationMs: number;
  /** Unix milliseconds at which the next attempt is due; null when there is none. */
  readonly nextDueAtMs: number | null;
  /** Base64 of the response's first bytes: 1 KB of a success, 16 KB of a failure. */
  readonly responseBody: string | null;
  readonly traceId: string;
  /**
   * Headers of the response, names in lower case, sensitive values redacted: 4 K characters of a failure; of a success
   * 1 K, without those that say nothing of it. Absent where there are none, as everything below in entries of the
   * release before.
   */
  readonly responseHeaders?: Readonly<Record<string, string | readonly string[]>>;
  readonly phases?: AttemptPhases;
  /** Of the tenant's configuration that the request was made from. */
  readonly revision?: number;
  /** Of a 410: `hashUrl` of what answered, so that a URL changed since is not held to it. */
  readonly urlHash?: string;
}

/** Milliseconds of a request's phases; absent: it did not pass through. Their sum is not the whole (`SendTiming`). */
export interface AttemptPhases {
  readonly dnsMs?: number;
  readonly connectMs?: number;
  readonly tlsMs?: number;
  readonly firstByteMs?: number;
}

/** A delivery went to the dead letters without a request: its circuit stayed open, or its endpoint is gone. */
export interface DeadLetteredEntry extends DeliverySubject {
  readonly kind: 'dead_lettered';
  readonly deliveryId: DeliveryId;
  readonly endpointId: EndpointId;
  readonly run: number;
  readonly round: number;
  readonly attempt: number;
  readonly reason: DeadLetterReason;
  readonly failure: FailureClass;
  readonly error: string;
}

/** A delivery will not be tried: its endpoint is gone or was disabled by a person. */
export interface CancelledEntry extends DeliverySubject {
  readonly kind: 'cancelled';
  readonly deliveryId: DeliveryId;
  readonly endpointId: EndpointId;
  readonly run: number;
  readonly round: number;
  readonly attempt: number;
  readonly reason: string;
}

/** A delivery starts again: the next round of a dead letter, or a new run of what had succeeded. */
export interface ReplayedEntry extends DeliverySubject {
  readonly kind: 'replayed';
  readonly deliveryId: DeliveryId;
  readonly endpointId: EndpointId;
  readonly run: number;
  readonly round: number;
}

/** A dead letter left the queue by a person's or a quota's decision; its delivery stays `failed`. */
export interface DeadLetterRemovedEntry {
  readonly kind: 'dead_letter_removed';
  readonly tenantId: TenantId;
  readonly deliveryId: DeliveryId;
  readonly reason: string;
  readonly atMs: number;
}

/** What is queued of a tenant, an endpoint or an event and was accepted before `revision` is cancelled. */
export interface PurgedEntry {
  readonly kind: 'purged';
  readonly tenantId: TenantId;
  readonly endpointId: EndpointId | null;
  readonly eventId: EventId | null;
  readonly revision: number;
  readonly atMs: number;
}

/** What one worker holds of a tenant, about once a second while that is not nothing, and once when it becomes so. */
export interface LoadEntry {
  readonly kind: 'load';
  readonly tenantId: TenantId;
  readonly workerId: string;
  readonly inFlight: number;
  readonly queued: number;
  /** Records of the tenant that were passed over in the overflow, a few too many at most. */
  readonly overflow?: number;
  readonly atMs: number;
}

/** The circuit of an endpoint, as one worker has it, was opened, or closed again. */
export interface CircuitEntry {
  readonly kind: 'circuit';
  readonly tenantId: TenantId;
  readonly endpointId: EndpointId;
  readonly workerId: string;
  /** Unix milliseconds by the worker's clock from which on a single attempt is let through; null: it is closed. */
  readonly nextProbeAtMs: number | null;
  readonly atMs: number;
}

/** The lane that a tenant left at `revision` holds nothing of it any more. */
export interface LaneDrainedEntry {
  readonly kind: 'lane_drained';
  readonly tenantId: TenantId;
  readonly lane: number;
  readonly revision: number;
  readonly atMs: number;
}

const JOURNAL_VERSION = 1;
const URL_HASH_DIGITS = 16;

/** The first 16 hex digits of SHA-256(url): a URL may carry a password, and the journal keeps what it is given. */
export const hashUrl = (url: string): string =>
  createHash('sha256').update(url).digest('hex').slice(0, URL_HASH_DIGITS);

/**
 * Kinds that the release before does not know. Among `entries` its recorder would set them aside, and alarm somebody;
 * under `newer` it passes over them. A release later they may stand among the others.
 */
const NEWER_KINDS: ReadonlySet<JournalEntry['kind']> = new Set(['circuit']);

export const isNewerEntry = ({ kind }: Pick<JournalEntry, 'kind'>): boolean => NEWER_KINDS.has(kind);

/**
 * Encodes entries that the caller has already turned into JSON, so that sizes are known before the batch is cut.
 * @param newerJson those of which `isNewerEntry` holds
 */
export function encodeJournal(entriesJson: readonly string[], newerJson: readonly string[] = []): Buffer {
  const newer = newerJson.length > 0 ? `,"newer":[${newerJson.join(',')}]` : '';
  return Buffer.from(`{"v":${JOURNAL_VERSION},"entries":[${entriesJson.join(',')}]${newer}}`);
}

/** @throws RecordFormatError when the value is not a journal of a known version. */
export function decodeJournal(value: Buffer): JournalEntry[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value.toString('utf8'));
  } catch {
    throw new RecordFormatError('journal value is not JSON');
  }
  const batch = parsed as { v?: unknown; entries?: unknown; newer?: unknown } | null;
  if (batch?.v !== JOURNAL_VERSION || !Array.isArray(batch.entries)) {
    throw new RecordFormatError(
      `journal version is ${JSON.stringify(batch?.v ?? null)}, not ${JOURNAL_VERSION}`,
    );
  }
  return (Array.isArray(batch.newer) ? batch.entries.concat(batch.newer) : batch.entries) as JournalEntry[];
}
