import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { createMeter, MAX_SMALL_PIECES, MIN_PIECE_BYTES } from './meter-body.ts';

const through = (pieces: Iterable<Buffer>) => buffer(Readable.from(pieces).compose(createMeter()));

test('a body in large pieces passes as it is, however many there are', async () => {
  const pieces = Array.from({ length: 3 * MAX_SMALL_PIECES }, (_, i) => Buffer.alloc(MIN_PIECE_BYTES, i));
  expect(await through(pieces)).toEqual(Buffer.concat(pieces));
});

test('a body in a few small pieces passes', async () => {
  const pieces = Array.from({ length: MAX_SMALL_PIECES }, () => Buffer.from('a'));
  expect((await through(pieces)).length).toBe(MAX_SMALL_PIECES);
});

test('a body in crumbs is given up long before it is complete', async () => {
  let taken = 0;
  function* crumbs() {
    for (; taken < 1_000_000; taken += 1) yield Buffer.from('a');
  }
  await expect(through(crumbs())).rejects.toMatchObject({ problem: { code: 'malformed_request' } });
  expect(taken).toBeLessThan(2 * MAX_SMALL_PIECES);
});
