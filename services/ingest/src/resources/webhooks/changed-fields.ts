import { isDeepStrictEqual } from 'node:util';
import type { EndpointChanges, EndpointRow } from '@posthorn/db';

/**
 * The fields that are not so already: saying the same again opens no new version. Headers that were given anew count as
 * changed, sealing never makes the same twice. An ed25519 key that is there meanwhile stays.
 */
export function changedFields(now: EndpointRow, fields: EndpointChanges): EndpointChanges {
  return Object.fromEntries(
    Object.entries(fields).filter(([name, value]) =>
      name === 'signingKey'
        ? now.publicKeys.length === 0
        : !isDeepStrictEqual(now[name as keyof EndpointRow], value),
    ),
  );
}
