/**
 * RFC 8586: whoever sends requests on others' behalf names itself, and refuses a request that names it already. So an
 * endpoint that leads back to us, by whatever name or detour, ends there.
 */
export const LOOP_HEADER = 'cdn-loop';

/** Whether one of the header's entries is of that name. @param value as received: `a; x=1, b`. */
export function hasPassed(value: string | undefined, loopName: string): boolean {
  if (value === undefined) return false;
  return value.split(',').some((entry) => entry.split(';', 1)[0]!.trim().toLowerCase() === loopName);
}
