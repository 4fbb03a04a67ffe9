import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText } from '../../test/json-text.ts';
import { isProblem } from '../http/problem.ts';
import { MAX_EVENT_REQUEST_BYTES } from './parse-event.ts';
import { MAX_BATCH_BYTES, MAX_BATCH_ITEMS, splitArray, splitLines } from './split-batch.ts';

async function* inChunks(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const value of values) found.push(value);
  return found;
}

/** The lines as text, problems by their code. */
async function linesOf(...chunks: (string | Buffer)[]): Promise<string[]> {
  const items = await all(splitLines(inChunks(chunks.map((chunk) => Buffer.from(chunk)))));
  return items.map((item) => (isProblem(item) ? item.code : item.toString()));
}

async function arrayOf(body: string | Buffer): Promise<string[] | string> {
  const items = await splitArray(Buffer.from(body));
  return isProblem(items) ? items.code : items.map((item) => item.toString());
}

describe('lines of a batch', () => {
  it('are the same however their bytes arrive', async () => {
    const line = fc
      .oneof(anyText, fc.string({ unit: fc.constantFrom(' ', '\t', '\r', 'x') }))
      .map((text) => text.toWellFormed().replaceAll('\n', ' '));
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.array(fc.nat()), fc.boolean(), async (lines, cuts, ended) => {
        const body = Buffer.from(lines.join('\n') + (ended ? '\n' : ''));
        const places = [0, ...cuts.map((cut) => cut % (body.length + 1)), body.length].sort((a, b) => a - b);
        const chunks = places.slice(1).map((end, i) => body.subarray(places[i], end));
        const trimmed = (texts: readonly string[]) => texts.map((text) => text.replace(/^[ \t\r]+/, ''));
        expect(trimmed(await linesOf(...chunks))).toEqual(trimmed(lines).filter((text) => text !== ''));
      }),
    );
  });

  it('leave out those that are blank', async () => {
    expect(await linesOf('\n\r\n 1 \r\n\t\n2')).toEqual(['1 \r', '2']);
    expect(await linesOf('')).toEqual([]);
  });

  it('end with a problem past the largest number of events, what came before being there', async () => {
    const full = '1\n'.repeat(MAX_BATCH_ITEMS);
    expect(await linesOf(full)).toHaveLength(MAX_BATCH_ITEMS);
    for (const more of ['2', '2\n']) {
      const lines = await linesOf(full, more, '3\n4\n');
      expect([lines.length, lines.at(-1)]).toEqual([MAX_BATCH_ITEMS + 1, 'batch_too_large']);
    }
  });

  it('end with a problem past the largest number of bytes, and nothing more is read', async () => {
    let read = 0;
    const chunk = Buffer.from(`${'1'.repeat(64 * 1024 - 1)}\n`);
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        read += chunk.length;
        yield chunk;
      }
    }
    const items = await all(splitLines(endless()));
    expect(items.at(-1)).toMatchObject({ code: 'batch_too_large' });
    expect(read).toBe(MAX_BATCH_BYTES + chunk.length);
  });

  it('that are too long are a problem in their place, without being held', async () => {
    const long = Buffer.alloc(MAX_EVENT_REQUEST_BYTES / 4 + 1, 0x61);
    expect(await linesOf('1\n', long, long, long, long, '\n2\n')).toEqual(['1', 'payload_too_large', '2']);
  });

  it('of a sender who goes away are those that came whole, and a problem', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from('1\n2\n3');
      throw new Error('aborted');
    }
    const items = await all(splitLines(broken()));
    expect(items.map((item) => (isProblem(item) ? item.code : item.toString()))).toEqual([
      '1',
      '2',
      'malformed_request',
    ]);
  });

  it('are not read ahead of whoever takes them', async () => {
    let read = 0;
    async function* counted(): AsyncGenerator<Buffer> {
      for (;;) {
        read += 1;
        yield Buffer.from('1\n');
      }
    }
    const lines = splitLines(counted());
    for (let i = 0; i < 3; i++) await lines.next();
    expect(read).toBe(3);
    await lines.return();
  });
});

describe('an array of events', () => {
  it('is cut into its values, whatever they are', async () => {
    expect(await arrayOf(' [{"a" : 1.0} , [], "x,]" ,null]')).toEqual(['{"a" : 1.0}', '[]', '"x,]"', 'null']);
  });

  it.each([
    ['an object', '{}', 'invalid_request'],
    ['nothing', '', 'invalid_json'],
    ['an open one', '[', 'invalid_json'],
    ['a comma too many', '[1,]', 'invalid_json'],
    ['something behind it', '[1]x', 'invalid_json'],
    ['a byte order mark', '\ufeff[1]', 'invalid_json'],
    ['bad UTF-8', Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]), 'invalid_json'],
    ['an empty one', '[]', 'invalid_request'],
    ['20,000 levels', '['.repeat(20_000), 'json_too_deep'],
    ['one event too many', `[${'1,'.repeat(MAX_BATCH_ITEMS)}1]`, 'batch_too_large'],
  ])('that is %s is refused', async (_name, body, code) => {
    expect(await arrayOf(body)).toBe(code);
  });

  it('leaves an event that is too deep to its own fault', async () => {
    expect(await arrayOf(`[${'['.repeat(100)}${']'.repeat(100)}, 1]`)).toHaveLength(2);
  });
});
