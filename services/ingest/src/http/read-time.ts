import { normaliseTime } from '@posthorn/contracts';

/** Unix milliseconds of a time that a schema has let through; undefined for none. */
export const timeMs = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Date.parse(normaliseTime(text)!);
