import type { ClaimRow } from '@posthorn/db';
import { type Problem, problem, retryAfter } from '../../http/problem.ts';
import { TooManyQuestionsError } from '../../question-gate.ts';
import { isDatabaseAway } from '../../store.ts';
import type { AcceptedEvent } from '../accept-event.ts';
import { claim, type HoldParts, leaseMs, type OnceRequest, takeOver } from './hold-claim.ts';

/**
 * Makes one event of all requests that carry the same idempotency key or the same id of their sender's.
 *
 * Modes of a claim, a row that all replicas share, and who moves it:
 *   absent   → leased    one request's insert: it alone may produce, under the event id in the row
 *   leased   → answered  it stores its answer once Kafka has the event
 *   leased   → absent    it was refused, or Kafka has certainly not taken it: the names are free
 *   leased   → lapsed    its time is over: it died, could not store, or does not know what became of its produce
 *   lapsed   → leased    another request's compare-and-set; it looks whether the event is there, and only when it is
 *                        certain that it is not produces the same event id
 *   answered → absent    a day after the insert
 * A lease outlasts the produce that it allows: that starts within half of the margin after the lease was asked for, or
 * never, and ends within its time-out.
 */
export interface AdmitOnce {
  admit(request: OnceRequest): Promise<AcceptedEvent | Problem>;
  /** Requests that wait for another's outcome. */
  readonly waiting: number;
}

export interface OnceParts extends HoldParts {
  /** How long a request waits for another's outcome. */
  readonly waitMs: number;
  /** Whether Postgres answered lately: while it did not, nobody waits for it to say no. */
  readonly isDatabaseUp: () => boolean;
  readonly reportDatabaseDown: () => void;
}

/** Beyond them a request is told at once that another is under way. */
export const MAX_WAITING_REQUESTS = 500;
const FIRST_POLL_MS = 10;
const MAX_POLL_MS = 250;

export function createAdmitOnce(parts: OnceParts, maxWaiting = MAX_WAITING_REQUESTS): AdmitOnce {
  let waiting = 0;

  async function awaitOther(request: OnceRequest): Promise<AcceptedEvent | Problem> {
    const waitMs = waiting < maxWaiting ? parts.waitMs : 0;
    waiting += 1;
    try {
      return await untilSettled(parts, request, parts.clock.monotonicMs() + waitMs);
    } finally {
      waiting -= 1;
    }
  }

  return {
    async admit(request) {
      if (!parts.isDatabaseUp()) return databaseAway(parts);
      try {
        return (await claim(parts, request)) ?? (await awaitOther(request));
      } catch (error) {
        if (error instanceof TooManyQuestionsError) return overloaded(parts);
        if (!isDatabaseAway(error)) throw error;
        parts.reportDatabaseDown();
        return databaseAway(parts);
      }
    },
    get waiting() {
      return waiting;
    },
  };
}

async function untilSettled(
  parts: OnceParts,
  request: OnceRequest,
  untilMs: number,
): Promise<AcceptedEvent | Problem> {
  let pollMs = FIRST_POLL_MS;
  for (;;) {
    const found = await look(parts, request);
    const settled = await settle(parts, request, found, untilMs);
    if (settled === 'undecided') return inProgress(parts, found);
    if (settled !== null) return settled;
    if (parts.clock.monotonicMs() >= untilMs) return inProgress(parts, found);
    await parts.wait(pollMs);
    pollMs = Math.min(MAX_POLL_MS, 2 * pollMs);
  }
}

type Found =
  | { readonly kind: 'absent' }
  | { readonly kind: 'mismatched' }
  | { readonly kind: 'answered'; readonly answer: AcceptedEvent }
  | { readonly kind: 'leased'; readonly leftMs: number }
  | { readonly kind: 'lapsed'; readonly row: ClaimRow };

/** Of at most two claims: a key and an id may each have one. */
async function look({ claims }: OnceParts, { tenantId, names, bodyHash }: OnceRequest): Promise<Found> {
  const rows = await claims.find(tenantId, names);
  const [row] = rows;
  if (rows.some(({ expired }) => expired)) {
    await claims.removeExpired(tenantId, names);
    return { kind: 'absent' };
  }
  if (row === undefined) return { kind: 'absent' };
  if (rows.some((each) => !bodyHash.equals(each.bodyHash))) return { kind: 'mismatched' };
  const answered = rows.find(({ answer }) => answer !== null);
  if (answered) return { kind: 'answered', answer: JSON.parse(answered.answer!) as AcceptedEvent };
  return row.leaseLeftMs > 0 ? { kind: 'leased', leftMs: row.leaseLeftMs } : { kind: 'lapsed', row };
}

/** Null: nothing is certain yet. */
async function settle(
  parts: OnceParts,
  request: OnceRequest,
  found: Found,
  untilMs: number,
): Promise<AcceptedEvent | Problem | 'undecided' | null> {
  switch (found.kind) {
    case 'absent':
      return claim(parts, request);
    case 'answered':
      parts.count('repeated');
      return found.answer;
    case 'mismatched':
      parts.count('mismatched');
      return MISMATCHED;
    case 'leased':
      return null;
    case 'lapsed':
      return takeOver(parts, request, found.row, untilMs);
    default:
      return found satisfies never;
  }
}

function inProgress(parts: OnceParts, found: Found): Problem {
  parts.count('in_progress');
  const leftMs = found.kind === 'leased' ? Math.min(found.leftMs, leaseMs(parts)) : 0;
  const detail = 'what became of a request with the same key or event_id is not certain yet: ask again';
  return problem('idempotency_in_progress', detail, retryAfter(Math.max(1, Math.ceil(leftMs / 1_000))));
}

const MISMATCHED = problem(
  'idempotency_mismatch',
  'another body came with the same key or event_id within the last 24 hours',
);

function overloaded(parts: OnceParts): Problem {
  parts.count('overloaded');
  const detail = 'too many events with a key or event_id are under way: ask again with the same one';
  return problem('overloaded', detail, retryAfter(1));
}

function databaseAway(parts: OnceParts): Problem {
  parts.count('database_away');
  const detail = 'whether this key or event_id came before cannot be told now: ask again with the same one';
  return problem('database_unavailable', detail, retryAfter(1));
}
