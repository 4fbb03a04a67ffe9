import { acceptedAtMs } from '@posthorn/contracts';

const DAY_MS = 86_400_000;

/**
 * The day of an event's or a delivery's id, in days since 1970-01-01 (UTC): which partitions hold its rows. A number,
 * because an id may name a day beyond the four-digit years that a date's text has.
 */
export function recordDay(id: string): number {
  return Math.floor(acceptedAtMs(id) / DAY_MS);
}
