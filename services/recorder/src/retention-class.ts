import { RETENTION_CLASSES } from '@posthorn/db';

/** The class whose partitions keep a row at least `days`; the longest for anything beyond. */
export function retentionClass(days: number): number {
  for (const each of RETENTION_CLASSES) if (days <= each) return each;
  return RETENTION_CLASSES.at(-1)!;
}
