import postgres from 'postgres';
import type { RecordedAttempt, RecordedDelivery } from '../oracle/ledgers.ts';

export interface Record {
  readonly deliveries: readonly RecordedDelivery[];
  readonly attempts: readonly RecordedAttempt[];
}

/** What the system's own record says of events from `fromEventId` on; all of it without one. */
export async function readRecord(databaseUrl: string, fromEventId: string | null): Promise<Record> {
  const sql = postgres(databaseUrl, { max: 2, onnotice: () => {} });
  const from = fromEventId ?? '00000000-0000-0000-0000-000000000000';
  try {
    const [deliveries, attempts] = await Promise.all([
      sql<RecordedDelivery[]>`
        select delivery_id as "deliveryId", event_id as "eventId", endpoint_id as "endpointId", run, state
        from deliveries where event_id >= ${from}`,
      sql<RecordedAttempt[]>`
        select delivery_id as "deliveryId", run, attempt, count(*)::int as rows,
               count(status)::int as answered, max(failure) as failure
        from attempts where event_id >= ${from}
        group by delivery_id, run, attempt`,
    ]);
    return { deliveries, attempts };
  } finally {
    await sql.end();
  }
}

/** Of one tenant, by the system's own record. */
export async function countRecordedEvents(databaseUrl: string, tenantId: string): Promise<number> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const [row] = await sql<{ n: number }[]>`
      select count(*)::int as n from events where tenant_id = ${tenantId}`;
    return row!.n;
  } finally {
    await sql.end();
  }
}
