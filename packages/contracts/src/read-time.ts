export const TIME_RULE = 'must be an RFC 3339 time such as 2026-01-31T12:00:00Z, from 1970 on';

const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** An RFC 3339 time in UTC to the millisecond, null when it is none or before 1970 (RFC 3339 §5.6, no leap seconds). */
export function normaliseTime(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const parts = RFC_3339.exec(value);
  if (!parts) return null;
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  const date = new Date(Date.UTC(year, month - 1, day));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  const ms = Date.parse(value.toUpperCase());
  return ms >= 0 && ms < MAX_TIME_MS ? new Date(ms).toISOString() : null;
}

/** The end of year 9999: a later one is written with a sign, which RFC 3339 has not. */
export const MAX_TIME_MS = Date.UTC(10_000, 0, 1);
