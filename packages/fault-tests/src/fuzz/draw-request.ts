import type { Random } from '../random.ts';
import type { Target } from './document.ts';
import { hostileJson, hostileText } from './hostile-values.ts';

export interface DrawnRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

/** Ids of things that are there, by the name of the path parameter or query parameter that takes them. */
export type KnownIds = Readonly<Record<string, readonly string[]>>;

export interface Drawing {
  readonly random: Random;
  readonly known: KnownIds;
  /** Keys of several kinds: some may do it, some may not. */
  readonly keys: readonly string[];
}

/** A request to an operation that something is wrong with; now and then it is a good one. */
export function drawRequest(target: Target, drawing: Drawing): DrawnRequest {
  const { random } = drawing;
  const isOften = (share: number): boolean => random.next() < share;
  let path = target.path;
  for (const name of target.pathNames) {
    const id = isOften(0.6) ? pickKnown(drawing, name) : hostileText(random);
    path = path.replace(`{${name}}`, encodePart(random, id));
  }
  const query = target.queryNames
    .filter(() => isOften(0.4))
    .map((name) => {
      const value = isOften(0.3) ? pickKnown(drawing, name) : hostileText(random);
      return `${name}=${encodePart(random, value)}`;
    });
  if (isOften(0.1)) query.push(`${encodePart(random, hostileText(random))}=1`);
  const { body, type } = drawBody(target, drawing);
  return {
    method: target.method,
    path: cut(query.length > 0 ? `${path}?${query.join('&')}` : path),
    headers: drawHeaders(drawing, type),
    body,
  };
}

/** Beyond it there is nothing to learn: the parser ends the request. */
const MAX_PATH_CHARS = 12_000;
const cut = (path: string): string => path.slice(0, MAX_PATH_CHARS);

const pickKnown = ({ random, known }: Drawing, name: string): string =>
  random.pick(known[name] ?? known.any ?? ['unknown']);

/** Mostly as a client would; sometimes raw, as far as it can stand in a request line. */
function encodePart(random: Random, text: string): string {
  if (random.next() < 0.1) return text.replace(/[^!-~]|[?#]/g, '') || '%';
  return encodeURIComponent(text.toWellFormed());
}

const TYPES = [
  'application/json; charset=utf-16',
  'text/plain',
  'application/xml',
  'multipart/form-data; boundary=x',
  'application/cloudevents+json',
  'application/x-ndjson',
  'nonsense',
];

function drawBody(target: Target, { random }: Drawing): { body: Buffer | null; type: string | null } {
  if (target.bodies.length === 0) {
    return random.next() < 0.1 ? { body: Buffer.from(hostileJson(random)), type: 'application/json' } : NONE;
  }
  const { type, example } = random.pick(target.bodies);
  const text = typeof example === 'string' ? example : mutate(random, example);
  const declared = random.next() < 0.05 ? random.pick(TYPES) : type;
  return { body: damage(random, Buffer.from(text)), type: declared };
}

const NONE = { body: null, type: null };

/** The JSON text of a value in which one or more members are not what they should be. */
function mutate(random: Random, value: unknown): string {
  if (random.next() < 0.1) return hostileJson(random);
  if (Array.isArray(value)) return `[${value.map((each) => mutate(random, each)).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).flatMap(([key, member]) => mutateMember(random, key, member));
  if (random.next() < 0.15) members.push(`${JSON.stringify(hostileText(random))}:${hostileJson(random)}`);
  return `{${members.join()}}`;
}

function mutateMember(random: Random, key: string, member: unknown): string[] {
  const name = JSON.stringify(key);
  const draw = random.next();
  if (draw < 0.1) return [];
  if (draw < 0.35) return [`${name}:${hostileJson(random)}`];
  if (draw < 0.4) return [`${name}:${JSON.stringify(member)}`, `${name}:${hostileJson(random)}`];
  if (draw < 0.6) return [`${name}:${mutate(random, member)}`];
  return [`${name}:${JSON.stringify(member)}`];
}

/** Bytes that are no UTF-8, a byte order mark, an end too early. */
function damage(random: Random, body: Buffer): Buffer {
  const draw = random.next();
  if (draw < 0.03) return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body]);
  if (draw < 0.06) return body.subarray(0, Math.floor(body.length * random.next()));
  if (draw < 0.1 && body.length > 0) {
    const bytes = Buffer.from(body);
    bytes[Math.floor(random.next() * bytes.length)] = random.pick([0x00, 0x80, 0xc0, 0xff, 0x0a]);
    return bytes;
  }
  return body;
}

function drawHeaders({ random, keys }: Drawing, type: string | null): Record<string, string> {
  const headers: Record<string, string> = {};
  const draw = random.next();
  if (draw < 0.85) headers.authorization = `Bearer ${random.pick(keys)}`;
  else if (draw < 0.95) headers.authorization = headerText(random);
  if (type !== null) headers['content-type'] = type;
  for (const name of HEADERS) if (random.next() < 0.05) headers[name] = headerText(random);
  return headers;
}

const HEADERS = [
  'idempotency-key',
  'x-actor',
  'traceparent',
  'if-match',
  'x-request-id',
  'x-forwarded-for',
  'accept',
  'ce-id',
  'ce-type',
  'ce-source',
  'ce-specversion',
];

const MAX_HEADER_CHARS = 4_000;

/** As far as a header can carry it. */
const headerText = (random: Random): string =>
  Buffer.from(hostileText(random).slice(0, MAX_HEADER_CHARS), 'utf8')
    .toString('latin1')
    .replace(/[\u0000-\u0008\u000a-\u001f\u007f]/g, '');
