/**
 * Finds where the members of a JSON document's top-level object stand, so that the payload's own bytes can be taken
 * out of the request without parsing or re-serialising them. The same pass checks the whole text against RFC 8259 and
 * bounds its depth, so nothing of the payload is ever built in memory. A property test holds it against JSON.parse.
 * The bytes must be valid UTF-8 (checked by the caller): no rule here looks into a character above 0x7f.
 */
export interface Member {
  /** The key without its quotes, escapes as they were written. */
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  valueEnd: number;
}

export type Scan =
  | { readonly kind: 'object'; readonly members: readonly Member[] }
  | { readonly kind: 'not_object' }
  | ScanFault;

/** At which byte a document stops being one that is taken. */
export interface ScanFault {
  readonly kind: 'invalid' | 'too_deep';
  readonly at: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** In ASCII "]" and "}" are two after "[" and "{". */
const CLOSES_AFTER_OPEN = 2;

const LITERALS: Readonly<Record<number, Buffer>> = {
  116: Buffer.from('true'),
  102: Buffer.from('false'),
  110: Buffer.from('null'),
};

/** Where a text stops being JSON, as a negative number that no offset can be. */
const faultAt = (at: number): number => -at - 1;

/** Walks the document once; `maxDepth` counts nested objects and arrays, the outermost one included. */
export function scanDocument(body: Buffer, maxDepth: number): Scan {
  const walk = startWalk(body, maxDepth, null);
  goOn(walk, Number.POSITIVE_INFINITY);
  if (walk.fault) return walk.fault;
  return walk.isObject ? { kind: 'object', members: walk.members } : { kind: 'not_object' };
}

/** One value of an array, spacing left out. */
export interface Item {
  readonly start: number;
  end: number;
}

export type ArrayScan =
  | { readonly kind: 'array'; readonly items: readonly Item[] }
  | { readonly kind: 'not_array' }
  | { readonly kind: 'too_many' }
  | ScanFault;

/**
 * The same for a document that is an array: where its values stand. Past `maxItems` it is not looked at any further.
 * It pauses after every `stepBytes`, so that others get a turn while a large one is scanned.
 */
export function* scanArray(
  body: Buffer,
  maxDepth: number,
  { maxItems, stepBytes }: { readonly maxItems: number; readonly stepBytes: number },
): Generator<void, ArrayScan> {
  const isArray = body[skipSpace(body, 0)] === OPEN_BRACKET;
  const items: Item[] = [];
  const walk = startWalk(body, maxDepth, isArray ? items : null);
  for (let until = stepBytes; !goOn(walk, until); until = walk.at + stepBytes) {
    if (items.length > maxItems) break;
    yield;
  }
  if (items.length > maxItems) return { kind: 'too_many' };
  return walk.fault ?? (isArray ? { kind: 'array', items } : { kind: 'not_array' });
}

/** A look through a document that can be interrupted between two values. */
interface Walk {
  readonly body: Buffer;
  readonly maxDepth: number;
  readonly isObject: boolean;
  /** Of the outermost object. */
  readonly members: Member[];
  /** Of the outermost array; null when nobody asks. */
  readonly items: Item[] | null;
  /** The bytes that close what is open. */
  readonly containers: number[];
  at: number;
  fault: ScanFault | null;
}

function startWalk(body: Buffer, maxDepth: number, items: Item[] | null): Walk {
  const at = skipSpace(body, 0);
  const isObject = body[at] === OPEN_BRACE;
  return { body, maxDepth, isObject, members: [], items, containers: [], at, fault: null };
}

/** Goes on until the document ends or has a fault, which is true, or until it has come to `until`. */
function goOn(walk: Walk, until: number): boolean {
  const { body, maxDepth, members, items, containers } = walk;
  let at = walk.at;
  while (at < until) {
    const byte = body[at]!;
    if (items !== null && containers.length === 1) items.push({ start: at, end: at });
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (containers.length === maxDepth) return endAt(walk, 'too_deep', at);
      const close = byte + CLOSES_AFTER_OPEN;
      at = skipSpace(body, at + 1);
      if (body[at] !== close) {
        containers.push(close);
        if (byte === OPEN_BRACE) at = readKey(body, at, containers.length === 1 ? members : null);
        if (at < 0) return endAt(walk, 'invalid', -at - 1);
        continue;
      }
      at += 1;
    } else {
      at = skipScalar(body, at);
      if (at < 0) return endAt(walk, 'invalid', -at - 1);
    }
    at = afterValue(body, at, containers, members, items);
    if (at < 0) return endAt(walk, 'invalid', -at - 1);
    if (containers.length === 0) return at < body.length ? endAt(walk, 'invalid', at) : true;
  }
  walk.at = at;
  return false;
}

function endAt(walk: Walk, kind: ScanFault['kind'], at: number): true {
  walk.fault = { kind, at };
  return true;
}

/** From behind a value over what closes after it, to where the next value starts or the document ends. */
function afterValue(
  body: Buffer,
  from: number,
  containers: number[],
  members: Member[],
  items: Item[] | null,
): number {
  let at = from;
  while (containers.length > 0) {
    const close = containers[containers.length - 1]!;
    const inTopObject = containers.length === 1 && close === CLOSE_BRACE;
    if (inTopObject) members[members.length - 1]!.valueEnd = at;
    if (items !== null && containers.length === 1) items[items.length - 1]!.end = at;
    at = skipSpace(body, at);
    if (body[at] === COMMA) {
      at = skipSpace(body, at + 1);
      return close === CLOSE_BRACE ? readKey(body, at, inTopObject ? members : null) : at;
    }
    if (body[at] !== close) return faultAt(at);
    containers.pop();
    at += 1;
  }
  return skipSpace(body, at);
}

/** Over `"key" :` to its value; the member is noted when `members` is given. */
function readKey(body: Buffer, at: number, members: Member[] | null): number {
  if (body[at] !== QUOTE) return faultAt(at);
  const end = skipString(body, at);
  if (end < 0) return end;
  const colon = skipSpace(body, end);
  if (body[colon] !== COLON) return faultAt(colon);
  const valueStart = skipSpace(body, colon + 1);
  members?.push({ keyStart: at + 1, keyEnd: end - 1, valueStart, valueEnd: valueStart });
  return valueStart;
}

function skipSpace(body: Buffer, from: number): number {
  let at = from;
  for (;;) {
    const byte = body[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at += 1;
  }
}

function skipScalar(body: Buffer, at: number): number {
  const byte = body[at];
  if (byte === undefined) return faultAt(at);
  if (byte === QUOTE) return skipString(body, at);
  if (byte === MINUS || isDigit(byte)) return skipNumber(body, at);
  const literal = LITERALS[byte];
  if (!literal) return faultAt(at);
  for (let i = 1; i < literal.length; i++) if (body[at + i] !== literal[i]) return faultAt(at + i);
  return at + literal.length;
}

function skipString(body: Buffer, start: number): number {
  let at = start + 1;
  const length = body.length;
  while (at < length) {
    const byte = body[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte < 0x20) return faultAt(at);
    if (byte !== BACKSLASH) {
      at += 1;
      continue;
    }
    const escaped = body[at + 1]!;
    if (escaped === 0x75) {
      for (let i = 2; i < 6; i++) if (!isHex(body[at + i])) return faultAt(at + i);
      at += 6;
    } else if (isSimpleEscape(escaped)) at += 2;
    else return faultAt(at + 1);
  }
  return faultAt(length);
}

function skipNumber(body: Buffer, start: number): number {
  let at = body[start] === MINUS ? start + 1 : start;
  if (!isDigit(body[at])) return faultAt(at);
  at = body[at] === 0x30 ? at + 1 : skipDigits(body, at);
  if (body[at] === POINT) {
    if (!isDigit(body[at + 1])) return faultAt(at + 1);
    at = skipDigits(body, at + 1);
  }
  if (body[at] === 0x65 || body[at] === 0x45) {
    at += body[at + 1] === 0x2b || body[at + 1] === MINUS ? 2 : 1;
    if (!isDigit(body[at])) return faultAt(at);
    at = skipDigits(body, at);
  }
  return at;
}

function skipDigits(body: Buffer, from: number): number {
  let at = from;
  while (isDigit(body[at])) at += 1;
  return at;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isHex(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66);
}

/** One of `"\/bfnrt`. */
function isSimpleEscape(byte: number): boolean {
  switch (byte) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return true;
    default:
      return false;
  }
}

/** A member's key as text, its escapes resolved. */
export function readMemberKey(body: Buffer, member: Member): string {
  const text = body.toString('utf8', member.keyStart, member.keyEnd);
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}
