import { acceptedAtMs } from '@posthorn/contracts';
import type { Sql } from './database.ts';
import { keptDays } from './partitions.ts';
import { DAY_MS, firstIdOf, recordDay } from './record-day.ts';
import {
  type DaySpan,
  MAX_ENDPOINTS_WALKED,
  type SpanRow,
  type WalkedPage,
  type WalkRequest,
} from './walk-record.ts';

/** What searches of deliveries, attempts and events have in common: which days, and which conditions an index answers. */

/** `none`: there was no answer. */
export type StatusClass = '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'none';

/** Times are those of the events; both ends are included. */
export interface TimeRange {
  readonly minCreatedAtMs?: number | undefined;
  readonly maxCreatedAtMs?: number | undefined;
}

/** How it went at the last attempt. */
export interface OutcomeFilter {
  readonly state?: string | undefined;
  readonly statusClass?: StatusClass | undefined;
  readonly failure?: string | undefined;
}

/** Of some endpoints, but so few that each has its own walk. */
export const isOfFew = <Filter extends { readonly endpointIds?: readonly string[] | undefined }>(
  filter: Filter & { readonly eventId?: string | undefined },
): filter is Filter & { readonly endpointIds: readonly string[] } =>
  filter.eventId === undefined &&
  filter.endpointIds !== undefined &&
  filter.endpointIds.length > 1 &&
  filter.endpointIds.length <= MAX_ENDPOINTS_WALKED;

/** The days of a list's events that a page can be about. */
export function daysOf(
  filter: TimeRange & { readonly eventId?: string | undefined },
  { after, direction }: WalkRequest,
  nowMs: number,
): DaySpan {
  if (filter.eventId !== undefined) return { from: recordDay(filter.eventId), to: recordDay(filter.eventId) };
  const kept = keptDays(nowMs);
  const min = filter.minCreatedAtMs ?? 0;
  const max = filter.maxCreatedAtMs ?? Number.MAX_SAFE_INTEGER;
  const reached = after === null ? null : acceptedAtMs(after);
  const from = Math.max(min, direction === 'newer' ? (reached ?? 0) : 0);
  const to = Math.min(max, direction === 'older' ? (reached ?? max) : max);
  return { from: Math.max(kept.from, dayNumber(from)), to: Math.min(kept.to, dayNumber(to)) };
}

const dayNumber = (atMs: number): number => Math.floor(atMs / DAY_MS);

/**
 * The index has the end of the id, which is as good as all of it. Row security would keep `right()` out of an index scan:
 * who asks by it reads the views `…_in_scope`.
 */
export const atEndpoint = (sql: Sql, endpointId: string) =>
  sql`and right(endpoint_id, 12) = ${endpointId.slice(-12)} and endpoint_id = ${endpointId}`;

/** Whether only what failed at its last attempt can fit: an index has the failures alone. */
export const hasFailed = ({ state, statusClass, failure }: OutcomeFilter): boolean =>
  failure !== undefined ||
  state === 'processing' ||
  state === 'failed' ||
  (statusClass !== undefined && statusClass !== '2xx');

export function between(sql: Sql, { minCreatedAtMs, maxCreatedAtMs }: TimeRange) {
  return sql`
    ${minCreatedAtMs === undefined ? sql`` : sql`and event_id >= ${firstIdOf(minCreatedAtMs)}::uuid`}
    ${maxCreatedAtMs === undefined ? sql`` : sql`and event_id < ${firstIdOf(maxCreatedAtMs + 1)}::uuid`}`;
}

export function inClass(sql: Sql, status: ReturnType<Sql>, statusClass: StatusClass) {
  if (statusClass === 'none') return sql`${status} is null`;
  const hundreds = Number(statusClass[0]) * 100;
  return sql`${status} between ${hundreds} and ${hundreds + 99}`;
}

/** Rows as they are shown, without what the walk needed of them. */
export function withoutMarks<Row extends SpanRow>(
  walked: WalkedPage<Row>,
): WalkedPage<Omit<Row, keyof SpanRow>> {
  const rows = walked.rows.map(({ key: _key, matches: _matches, nth: _nth, ...row }) => row);
  return { ...walked, rows };
}
