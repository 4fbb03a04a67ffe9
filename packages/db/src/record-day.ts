import { acceptedAtMs } from '@posthorn/contracts';

export const DAY_MS = 86_400_000;

/**
 * The day of an event's or a delivery's id, in days since 1970-01-01 (UTC): which partitions hold its rows. A number,
 * because an id may name a day beyond the four-digit years that a date's text has.
 */
export function recordDay(id: string): number {
  return Math.floor(acceptedAtMs(id) / DAY_MS);
}

const EVENT_ID_CHARS = 36;

/** A delivery's id starts with its event's. */
export const eventIdOf = (deliveryId: string): string => deliveryId.slice(0, EVENT_ID_CHARS);

/**
 * At most every id that was minted at `atMs` (Unix milliseconds) or later, and more than every earlier one: ids of
 * events, deliveries and attempts sort by time.
 */
export function firstIdOf(atMs: number): string {
  const time = Math.max(0, Math.floor(atMs)).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
}
