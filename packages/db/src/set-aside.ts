import type { Sql } from './database.ts';

export interface SetAsideRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Keeps where a record lies that could not be written, and why. */
export async function setAside(sql: Sql, record: SetAsideRecord): Promise<void> {
  await sql`
    insert into set_aside (topic, partition, "offset", reason, headers)
    values (${record.topic}, ${record.partition}, ${record.offset}::bigint, ${record.reason},
            ${sql.json(record.headers)})
    on conflict do nothing`;
}

export interface SetAsideRow extends SetAsideRecord {
  readonly setAsideAt: Date;
}

/** The latest first. */
export async function listSetAside(
  sql: Sql,
  page: { readonly limit: number; readonly offset: number } = { limit: 100, offset: 0 },
): Promise<SetAsideRow[]> {
  return sql<SetAsideRow[]>`
    select topic, partition, "offset", reason, headers, set_aside_at from set_aside
    order by set_aside_at desc, topic, partition, "offset" limit ${page.limit} offset ${page.offset}`;
}
