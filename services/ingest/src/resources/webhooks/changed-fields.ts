import { isDeepStrictEqual } from 'node:util';
import type { EndpointChanges, EndpointRow } from '@posthorn/db';

/**
 * The fields that are not so already: saying the same again opens no new version. Headers that were given anew count as
 * changed, sealing never makes the same twice.
 */
export function changedFields(now: EndpointRow, fields: EndpointChanges): EndpointChanges {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([name, value]) => !isDeepStrictEqual(now[name as keyof EndpointRow], value),
    ),
  );
}
