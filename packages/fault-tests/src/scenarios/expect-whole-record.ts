import postgres from 'postgres';
import type { Rig } from '../rig/start-rig.ts';
import type { Notes } from './under-load.ts';

/** What the oracle does not look at: nothing was set aside, no event is missing, and the audit log is one chain. */
export async function expectWholeRecord(rig: Rig, notes: Notes): Promise<void> {
  const sql = postgres(rig.databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const aside = await sql<{ topic: string; reason: string; count: number }[]>`
      select topic, reason, count(*)::int as count from set_aside group by topic, reason`;
    for (const { topic, reason, count } of aside)
      notes.expect(false, `${count} records of ${topic} were set aside: ${reason}`);
    await expectAllEvents(sql, rig, notes);
    const [chain] = await sql<{ entries: number; broken: number }[]>`
      select count(*)::int as entries,
             count(*) filter (where seq is null or hash is distinct from audit_hash(before, log))::int as broken
      from (
        select log, log.seq, log.hash,
               lag(log.hash, 1, decode(repeat('00', 32), 'hex')) over (order by log.seq) as before
        from audit_log log
      ) chained`;
    notes.figure('audit_entries', chain!.entries);
    notes.expect(chain!.broken === 0, `${chain!.broken} entries break the chain of the audit log`);
  } finally {
    await sql.end();
  }
}

async function expectAllEvents(sql: postgres.Sql, rig: Rig, notes: Notes): Promise<void> {
  const ids = rig.events.sent.flatMap(({ eventId }) => eventId ?? []);
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from unnest(${ids}::uuid[]) sent (event_id)
    where not exists (select 1 from events where events.event_id = sent.event_id)`;
  notes.expect(row!.count === 0, `${row!.count} accepted events are not in the record`);
}
