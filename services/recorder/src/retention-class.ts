import { RETENTION_CLASSES } from '@posthorn/db';

const DAY_MS = 86_400_000;

/** The class whose partitions keep a row at least `days`; the longest for anything beyond. */
export function retentionClass(days: number): number {
  for (const each of RETENTION_CLASSES) if (days <= each) return each;
  return RETENTION_CLASSES.at(-1)!;
}

/** Days since 1970-01-01 (UTC). */
export const dayNumber = (ms: number): number => Math.floor(ms / DAY_MS);

/** Postgres' text has no NUL. */
export const storable = (text: string): string =>
  text.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text;
