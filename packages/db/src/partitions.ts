import { MAX_SCHEDULE_MS } from '@posthorn/contracts';
import { inTransaction, type PoolSql, type Sql } from './database.ts';

export const RETENTION_CLASSES = [7, 30, 90] as const;
const RECORD_TABLES = ['events', 'deliveries', 'attempts', 'dead_letters'] as const;
const DAY_MS = 24 * 3_600_000;
/**
 * Rows of a delivery are written until its last attempt: past retention a partition is kept this much longer, a
 * schedule's whole span and a day for what receivers ask for by Retry-After.
 */
export const LONGEST_SCHEDULE_DAYS = MAX_SCHEDULE_MS / DAY_MS + 1;
/**
 * Room in each page for rows that are written again, so that an update stays on its page and touches no index. Under
 * load about every delivery is: what its second version takes it would take in any case.
 */
const FILL_FACTOR: Readonly<Record<(typeof RECORD_TABLES)[number], number>> = {
  events: 100,
  deliveries: 55,
  attempts: 100,
  dead_letters: 100,
};

interface DayPartition {
  readonly name: string;
  readonly parent: string;
  readonly retentionDays: number;
  readonly day: string;
}

/**
 * Makes the partitions of the days from `fromDay` to `toDay` (`YYYY-MM-DD`, both included) of every record table and
 * retention class, moving rows of such a day out of the default partition. Gives back the names it made.
 */
export async function ensurePartitions(sql: PoolSql, fromDay: string, toDay: string): Promise<string[]> {
  const present = new Set((await listDayPartitions(sql)).map((partition) => partition.name));
  const made: string[] = [];
  for (const day of daysBetween(fromDay, toDay)) {
    for (const table of RECORD_TABLES) {
      for (const retentionDays of RETENTION_CLASSES) {
        const name = partitionName(table, retentionDays, day);
        if (present.has(name)) continue;
        // A function of the owner's: nobody else may make tables. False: another recorder was quicker.
        const [row] = await sql<{ isNew: boolean }[]>`
          select make_day_partition(${`${table}_${retentionDays}`}, ${day}::date, ${FILL_FACTOR[table]}) as is_new`;
        if (row!.isNew) made.push(name);
      }
    }
  }
  return made;
}

/** Drops the partitions of days that are past their retention and the longest schedule. Gives back their names. */
export async function dropExpiredPartitions(sql: PoolSql, today: string): Promise<string[]> {
  const dropped: string[] = [];
  for (const partition of await listDayPartitions(sql)) {
    if (partition.day >= addDays(today, -(partition.retentionDays + LONGEST_SCHEDULE_DAYS))) continue;
    await inTransaction(sql, async (transaction) => {
      // Rather come again in an hour than make every reader and writer queue behind a waiting lock.
      await transaction`set local lock_timeout = '2s'`;
      await transaction`select drop_day_partition(${partition.parent}, ${partition.day}::date)`;
    });
    dropped.push(partition.name);
  }
  return dropped;
}

/** The days that may have rows, in days since 1970-01-01: from the longest retention to what clocks ahead of ours name. */
export function keptDays(nowMs: number): { readonly from: number; readonly to: number } {
  const today = Math.floor(nowMs / DAY_MS);
  return { from: today - (RETENTION_CLASSES.at(-1)! + LONGEST_SCHEDULE_DAYS), to: today + 1 };
}

/** Rows that no day's partition took, at most `limit` counted: an alarm when it is not zero. */
export async function countUnpartitionedRows(sql: Sql, limit = 1_000): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select count_unpartitioned_rows(${limit}) as count`;
  return row!.count;
}

async function listDayPartitions(sql: Sql): Promise<DayPartition[]> {
  const rows = await sql<{ name: string }[]>`
    select c.relname as name from pg_class c join pg_inherits i on i.inhrelid = c.oid
    where c.relname ~ '_p[0-9]{8}$' and c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace`;
  return rows.flatMap(({ name }) => {
    const match = /^(\w+_(\d+))_p(\d{4})(\d{2})(\d{2})$/.exec(name);
    if (!match) return [];
    const [, parent, days, year, month, date] = match;
    return [{ name, parent: parent!, retentionDays: Number(days), day: `${year}-${month}-${date}` }];
  });
}

const partitionName = (table: string, retentionDays: number, day: string): string =>
  `${table}_${retentionDays}_p${day.replaceAll('-', '')}`;

/** `YYYY-MM-DD`, `days` later; earlier when they are negative. */
export function addDays(day: string, days: number): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

function daysBetween(fromDay: string, toDay: string): string[] {
  const days: string[] = [];
  for (let day = addDays(fromDay, 0); day <= toDay; day = addDays(day, 1)) days.push(day);
  return days;
}
