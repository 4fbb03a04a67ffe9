import { domainToASCII } from 'node:url';
import { isHostName } from './reserved-hosts.ts';

/** Says whether a host name (lower case, ASCII, without the root's dot) is one that the pattern means. */
export type HostPattern = (hostname: string) => boolean;

const STAND_IN = 'x';
const ASCII = /^[\x20-\x7e]*$/;

/**
 * `api.example.com` means that name alone, `*.example.com` all beneath it and not itself; a `*` stands for any
 * characters, dots too, at least one. A name with other letters than ASCII may be written as people read it.
 * @throws {RangeError} for what can be no name.
 */
export function parseHostPattern(text: string): HostPattern {
  const parts = text
    .toLowerCase()
    .replace(/\.$/, '')
    .split('*')
    .map((part) => part.split('.').map(toAsciiLabel).join('.'));
  if (!isHostName(parts.join(STAND_IN))) {
    throw new RangeError(`"${text}" is no host name, nor a pattern such as *.example.com`);
  }
  const [head = '', ...rest] = parts;
  if (rest.length === 0) return (hostname) => hostname === head;
  const tail = rest.pop()!;
  return (hostname) => matches(hostname, head, rest, tail);
}

function matches(hostname: string, head: string, middle: readonly string[], tail: string): boolean {
  if (!hostname.startsWith(head) || !hostname.endsWith(tail)) return false;
  const end = hostname.length - tail.length;
  let from = head.length + 1;
  for (const part of middle) {
    // The first place that fits leaves the most to the parts after it: no pattern takes more than one pass.
    const at = hostname.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length + 1;
  }
  return from <= end;
}

const toAsciiLabel = (label: string): string => (ASCII.test(label) ? label : domainToASCII(label) || '!');
