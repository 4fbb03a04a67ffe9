import type { Sql } from './database.ts';
import { DAY_MS, firstIdOf, recordDay } from './record-day.ts';
import type { DaySpan } from './walk-record.ts';

/** Notes in which days' partitions the attempts of a batch lie. */
export async function recordAttemptDays(
  sql: Sql,
  rows: { readonly attemptId: readonly string[]; readonly day: readonly number[] },
): Promise<void> {
  if (rows.attemptId.length === 0) return;
  const pairs = new Map<string, readonly [number, number]>();
  rows.attemptId.forEach((attemptId, i) => {
    const pair = [recordDay(attemptId), rows.day[i]!] as const;
    pairs.set(pair.join(), pair);
  });
  await sql`
    insert into attempt_days (attempt_day, day)
    select '1970-01-01'::date + attempt_day, '1970-01-01'::date + day
    from unnest(
      ${[...pairs.values()].map(([attemptDay]) => attemptDay)}::int[], ${[...pairs.values()].map(([, day]) => day)}::int[]
    ) as given (attempt_day, day)
    order by attempt_day, day on conflict do nothing`;
}

/**
 * Notes what a recorder of the release before has left out: it knows nothing of these days. Looks into the partitions of
 * each day, by the ids that an attempt of each later day would have; gives back how many were missing.
 */
export async function noteMissedAttemptDays(sql: Sql, { from, to }: DaySpan): Promise<number> {
  const days = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const noted = await sql`
    with days as (
      select '1970-01-01'::date + day as day, first_id, end_id
      from unnest(
        ${days}::int[], ${days.map((day) => firstIdOf(day * DAY_MS))}::uuid[],
        ${days.map((day) => firstIdOf((day + 1) * DAY_MS))}::uuid[]
      ) as days (day, first_id, end_id)
    )
    insert into attempt_days (attempt_day, day)
    select attempted.day, accepted.day
    from days accepted join days attempted on attempted.day >= accepted.day
    -- The limit keeps it to one look into an index for each pair of days.
    cross join lateral (
      select 1 from attempts
      where attempts.day = accepted.day and attempt_id >= attempted.first_id and attempt_id < attempted.end_id
      order by attempt_id limit 1
    ) made
    where not exists (
      select 1 from attempt_days known where known.attempt_day = attempted.day and known.day = accepted.day
    )
    on conflict do nothing`;
  return noted.count;
}

/** Removes the days of attempts that are kept nowhere any more; gives back how many. */
export async function removeOldAttemptDays(sql: Sql, oldestDay: number): Promise<number> {
  const removed = await sql`delete from attempt_days where day < '1970-01-01'::date + ${oldestDay}::int`;
  return removed.count;
}

/** The days of the events whose attempts lie in a span. Asked for by itself, so that plans are made for these days' partitions alone. */
export async function listEventDays(sql: Sql, { from, to }: DaySpan): Promise<number[]> {
  const rows = await sql<{ day: number }[]>`
    select distinct day - '1970-01-01'::date as day from attempt_days
    where attempt_day between '1970-01-01'::date + ${from}::int and '1970-01-01'::date + ${to}::int`;
  return rows.map((row) => row.day);
}

/** A parameter as it is, with no cast: partitions are chosen by it when the plan is made. */
export const dates = (sql: Sql, days: readonly number[]) =>
  sql`${days.map((day) => new Date(day * DAY_MS).toISOString().slice(0, 10))}::date[]`;
