/**
 * Names that are never a public receiver, each with all that is beneath it: special-use names (RFC 6761, 6762, 8375,
 * 9476), those ICANN keeps out of the root for private use, and names under which clouds and clusters answer their own
 * machines. `example` and `example.com` are left out: they lead nowhere, and people write them in guides and tests.
 */
const RESERVED_NAMES = new Set([
  'alt',
  'arpa',
  'cluster',
  'consul',
  'corp',
  'default',
  'domain',
  'home',
  'internal',
  'intranet',
  'invalid',
  'lan',
  'local',
  'localdomain',
  'localhost',
  'mail',
  'onion',
  'private',
  'svc',
  'test',
  'workgroup',
  'metadata.goog',
  'metadata.packet.net',
  'metadata.platformequinix.com',
  'metadata.tencentyun.com',
]);

const LABEL = /^[a-z0-9_-]{1,63}$/;
const MAX_NAME_CHARACTERS = 253;

/** Whether the name, or one above it, is in the set. */
export function isNameWithin(name: string, names: ReadonlySet<string>): boolean {
  for (let rest = name; ; ) {
    if (names.has(rest)) return true;
    const dot = rest.indexOf('.');
    if (dot === -1) return false;
    rest = rest.slice(dot + 1);
  }
}

export function isReservedName(name: string): boolean {
  return !name.includes('.') || isNameWithin(name, RESERVED_NAMES);
}

export function isLocalhost(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost');
}

/** A name in ASCII (after IDNA), without the root's dot. */
export function isHostName(name: string): boolean {
  return name.length <= MAX_NAME_CHARACTERS && name.split('.').every((label) => LABEL.test(label));
}
