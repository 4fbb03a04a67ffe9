import { setImmediate as nextTurn } from 'node:timers/promises';
import { invalidRequest, isProblem, type Problem, problem } from '../http/problem.ts';
import { holdUtf8, scanProblem } from '../http/read-json.ts';
import { MAX_EVENT_REQUEST_BYTES } from './parse-event.ts';
import { scanArray } from './payload-span.ts';

export const MAX_BATCH_ITEMS = 1_000;
export const MAX_BATCH_BYTES = 5 * 1024 * 1024;
/** Of the array around the events; each is held to its own depth when its turn comes. */
const MAX_ARRAY_DEPTH = 10_000;

/** So much is looked through before others get a turn. */
export const BYTES_PER_TURN = 128 * 1024;

/** The events of a JSON array, each as a span of the body that is not yet looked into. */
export async function splitArray(body: Buffer): Promise<readonly Buffer[] | Problem> {
  const refused = holdUtf8(body);
  if (refused) return refused;
  const scan = await inTurns(
    scanArray(body, MAX_ARRAY_DEPTH, { maxItems: MAX_BATCH_ITEMS, stepBytes: BYTES_PER_TURN }),
  );
  switch (scan.kind) {
    case 'array':
      break;
    case 'not_array':
      return invalidRequest([{ pointer: '', detail: 'must be an array of events' }]);
    case 'too_many':
      return TOO_MANY_ITEMS;
    default:
      return scanProblem(body, scan, MAX_ARRAY_DEPTH);
  }
  if (scan.items.length === 0) return NO_ITEMS;
  return scan.items.map(({ start, end }) => body.subarray(start, end));
}

async function inTurns<T>(steps: Generator<void, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await nextTurn();
  }
}

export const NO_ITEMS = invalidRequest([{ pointer: '', detail: 'must have at least one event' }]);

const tooLarge = (found: string): Problem =>
  problem(
    'batch_too_large',
    `${found}: ${MAX_BATCH_ITEMS} events of ${MAX_BATCH_BYTES} bytes together are allowed`,
  );

const TOO_MANY_ITEMS = tooLarge(`more than ${MAX_BATCH_ITEMS} events`);

const NEWLINE = 0x0a;

/**
 * The events of newline-delimited JSON while they arrive: lines, without those that are blank. At most one line and
 * one chunk are held; whoever reads slowly slows the sender down. A line that is too long is a problem in its place;
 * past the bounds of a batch a last problem ends it.
 */
export async function* splitLines(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer | Problem, void> {
  const line = createLine();
  let bytes = 0;
  let items = 0;
  for await (const chunk of untilBroken(body)) {
    if (chunk === null) return yield BROKEN_OFF;
    bytes += chunk.length;
    if (bytes > MAX_BATCH_BYTES) return yield tooLarge(`more than ${MAX_BATCH_BYTES} bytes`);
    let from = line.isEmpty ? skipBlank(chunk, 0) : 0;
    for (let end = chunk.indexOf(NEWLINE, from); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      line.add(chunk.subarray(from, end));
      from = skipBlank(chunk, end + 1);
      const item = line.take();
      if (item === null) continue;
      if (items === MAX_BATCH_ITEMS) return yield TOO_MANY_ITEMS;
      items += 1;
      yield item;
    }
    line.add(chunk.subarray(from));
  }
  const last = line.take();
  if (last === null) return;
  yield items === MAX_BATCH_ITEMS ? TOO_MANY_ITEMS : last;
}

const BROKEN_OFF = problem('malformed_request', 'the body broke off');

/** Null at the end of a body whose sender went away in the middle of it. */
async function* untilBroken(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer | null, void> {
  try {
    yield* body;
  } catch {
    yield null;
  }
}

/** A line that comes in pieces. */
function createLine() {
  let pieces: Buffer[] = [];
  let length = 0;
  return {
    add(piece: Buffer): void {
      length += piece.length;
      if (length > MAX_EVENT_REQUEST_BYTES) pieces = [];
      else if (piece.length > 0) pieces.push(piece);
    },
    get isEmpty() {
      return length === 0;
    },
    /** Null for a blank one. */
    take(): Buffer | Problem | null {
      const taken = length > MAX_EVENT_REQUEST_BYTES ? lineTooLong(length) : joined(pieces, length);
      pieces = [];
      length = 0;
      return isProblem(taken) || !isBlank(taken) ? taken : null;
    },
  };
}

const joined = (pieces: readonly Buffer[], length: number): Buffer =>
  pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, length);

const lineTooLong = (length: number): Problem =>
  problem('payload_too_large', `the line has ${length} bytes, ${MAX_EVENT_REQUEST_BYTES} are allowed`);

const isBlank = (line: Buffer): boolean => skipBlank(line, 0) === line.length;

/** Over spaces, tabs and ends of lines. */
function skipBlank(bytes: Buffer, from: number): number {
  let at = from;
  for (;;) {
    const byte = bytes[at];
    if (byte !== NEWLINE && byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return at;
    at += 1;
  }
}
