/** What the names of all headers begin with; an operator may have another. */
export const DEFAULT_HEADER_PREFIX = 'webhook';

const MAX_PREFIX_CHARACTERS = 32;
const PREFIX = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** In lower case. */
export interface HeaderNames {
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
  /** Of the plain signature, over the body alone. */
  readonly bodySignature: string;
}

/** Whether headers can be named after it: lower case letters and digits with "-" between, at most 32. */
export const isHeaderPrefix = (text: string): boolean =>
  text.length <= MAX_PREFIX_CHARACTERS && PREFIX.test(text);

const namesByPrefix = (prefix: string): HeaderNames => ({
  id: `${prefix}-id`,
  timestamp: `${prefix}-timestamp`,
  signature: `${prefix}-signature`,
  bodySignature: `x-${prefix}-signature`,
});
const DEFAULT_NAMES = namesByPrefix(DEFAULT_HEADER_PREFIX);

/** `webhook-id` and the like. @throws {RangeError} on a prefix that is none. */
export function headerNames(prefix: string = DEFAULT_HEADER_PREFIX): HeaderNames {
  if (prefix === DEFAULT_HEADER_PREFIX) return DEFAULT_NAMES;
  if (!isHeaderPrefix(prefix)) throw new RangeError('a header prefix is lower case letters and digits');
  return namesByPrefix(prefix);
}
