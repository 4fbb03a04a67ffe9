import { dayOf, mintEventId } from '@posthorn/contracts';
import { addDays, type Database, ensurePartitions, migrate } from '@posthorn/db';

/** Days ahead for which partitions are made; the recorder goes on from there. */
export const PARTITIONS_AHEAD_DAYS = 3;

/** Brings the schema up to date and makes the first partitions. */
export async function applyMigrations(
  database: Database,
  nowMs: number,
  say: (line: string) => void,
): Promise<void> {
  const { applied, present } = await migrate(database.sql);
  for (const name of applied) say(`migration ${name} applied`);
  if (applied.length === 0) say(`migrations are up to date (${present.length})`);
  const today = dayOf(mintEventId(nowMs));
  const made = await ensurePartitions(
    database.sql,
    addDays(today, -1),
    addDays(today, PARTITIONS_AHEAD_DAYS),
  );
  say(made.length > 0 ? `record partitions made (${made.length})` : 'record partitions are there');
}
