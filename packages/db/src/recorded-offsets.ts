import type { Sql } from './database.ts';

/** By topic and partition: the offset after the last record of `events` that a batch has. */
export type RecordedOffsets = Map<
  string,
  { readonly topic: string; readonly partition: number; nextOffset: number }
>;

export function raiseOffset(
  offsets: RecordedOffsets,
  {
    topic,
    partition,
    offset,
  }: { readonly topic: string; readonly partition: number; readonly offset: number },
): void {
  const key = `${topic}/${partition}`;
  const known = offsets.get(key);
  if (known === undefined) offsets.set(key, { topic, partition, nextOffset: offset + 1 });
  else known.nextOffset = Math.max(known.nextOffset, offset + 1);
}

/**
 * Notes how far the record has come, in the transaction of the rows themselves. Whoever writes takes a partition's
 * records in their order, from an offset up to which all is recorded: so all below `next_offset` is.
 */
export async function recordOffsets(sql: Sql, offsets: RecordedOffsets): Promise<void> {
  if (offsets.size === 0) return;
  const rows = [...offsets.values()];
  await sql`
    insert into recorded_offsets as r (topic, partition, next_offset)
    select * from unnest(
      ${rows.map((row) => row.topic)}::text[], ${rows.map((row) => row.partition)}::int[],
      ${rows.map((row) => row.nextOffset)}::bigint[]
    ) as given (topic, partition, next_offset)
    -- One order of locks for all recorders.
    order by topic, partition
    on conflict (topic, partition) do update set next_offset = excluded.next_offset
    where excluded.next_offset > r.next_offset`;
}

/**
 * The offset below which every record of a partition of `events` is in the record, or was set aside. Null: nothing of it
 * has been recorded.
 */
export async function findRecordedOffset(sql: Sql, topic: string, partition: number): Promise<number | null> {
  const [row] = await sql<{ nextOffset: number }[]>`
    select next_offset from recorded_offsets where topic = ${topic} and partition = ${partition}`;
  return row?.nextOffset ?? null;
}
