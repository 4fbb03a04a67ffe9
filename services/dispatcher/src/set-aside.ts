import type { SetAsideRecord } from '@posthorn/db';
import { isDataError } from '@posthorn/db';
import type { TrackedRecord } from '@posthorn/kafka';
import type { Logger } from '@posthorn/runtime';
import { createBackOff } from './back-off.ts';

export type Phase = 'fan_out' | 'release' | 'replay' | 'inbound';
export type SetAsideReason =
  | 'malformed'
  | 'unknown_tenant'
  | 'no_such_lane'
  /** A replay that we have not made, or that was changed since. */
  | 'bad_mac'
  /** Of events that ingest has not written: it would not have let them in. */
  | 'too_large'
  | 'over_quota'
  | 'unknown_type'
  | 'tenant_reserved'
  | 'tenant_disabled'
  | 'internal_error';

/**
 * Takes a record out of the way that can never be handled: said aloud, counted, kept in the table where operators look,
 * and completed, so that its partition advances. It stays in its topic until that topic's retention ends; topic,
 * partition and offset find it. Never rejects.
 */
export type SetAside = (record: TrackedRecord, reason: SetAsideReason, error?: unknown) => Promise<void>;

export interface SetAsideOptions {
  readonly phase: Phase;
  readonly log: Logger;
  count(phase: Phase, reason: SetAsideReason): void;
  /** Writes the row; one that is there already stays. */
  keep(row: SetAsideRecord): Promise<void>;
  /** The row could not be written: the line in the log and the count stand alone. */
  unkept(phase: Phase): void;
  /** How long a row is tried for, Postgres being away. */
  readonly maxTryMs: number;
  /** Rows that are tried at once; what comes on top has no row. */
  readonly maxRows: number;
  monotonicMs(): number;
}

const FIRST_RETRY_MS = 200;
const MAX_HEADERS = 64;
const MAX_HEADER_CHARS = 1_024;

export function createSetAside(options: SetAsideOptions): SetAside {
  let rows = 0;
  return async (record, reason, error) => {
    say(options, record, reason, error);
    if (rows < options.maxRows) {
      rows += 1;
      const kept = await keepRow(options, record, toRow(record, reason, error));
      rows -= 1;
      if (!kept) options.unkept(options.phase);
    } else options.unkept(options.phase);
    record.complete();
  };
}

function say(
  { phase, log, count }: SetAsideOptions,
  record: TrackedRecord,
  reason: SetAsideReason,
  error: unknown,
): void {
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
}

/** False when it could not be written in time, or never can. A record that is lost is its next owner's to keep. */
async function keepRow(
  options: SetAsideOptions,
  record: Pick<TrackedRecord, 'live'>,
  row: SetAsideRecord,
): Promise<boolean> {
  const untilMs = options.monotonicMs() + options.maxTryMs;
  const backOff = createBackOff(FIRST_RETRY_MS);
  while (record.live) {
    try {
      await options.keep(row);
      return true;
    } catch (error) {
      if (isDataError(error) || options.monotonicMs() + backOff.nextMs > untilMs) return false;
    }
    await backOff.wait();
  }
  return true;
}

function toRow(record: TrackedRecord, reason: SetAsideReason, error: unknown): SetAsideRecord {
  const { topic, partition, offset } = record;
  const why = error instanceof Error ? `${reason}: ${error.message}` : reason;
  const headers = Object.entries(record.headers)
    .slice(0, MAX_HEADERS)
    .map(([name, value]) => [storable(name), storable(value)]);
  return { topic, partition, offset, reason: storable(why), headers: Object.fromEntries(headers) };
}

/** Short enough for a row, and without NUL and halves of surrogate pairs, which Postgres has no room for. */
const storable = (text: string): string =>
  text.slice(0, MAX_HEADER_CHARS).replaceAll('\0', '\uFFFD').toWellFormed();
