import { dayOf } from '@posthorn/contracts';
import type { Sql } from './database.ts';

/** For callers that may act for any tenant and know only the event's id: whose it is, null when it is nobody's. */
export async function findEventTenant(sql: Sql, eventId: string): Promise<string | null> {
  const [row] = await sql<{ tenantId: string }[]>`
    select tenant_id from events where event_id = ${eventId}::uuid and day = ${dayOf(eventId)}::date`;
  return row?.tenantId ?? null;
}

/** The same for a delivery. */
export async function findDeliveryTenant(sql: Sql, deliveryId: string): Promise<string | null> {
  const [row] = await sql<{ tenantId: string }[]>`
    select tenant_id from deliveries where delivery_id = ${deliveryId} and day = ${dayOf(deliveryId)}::date`;
  return row?.tenantId ?? null;
}
