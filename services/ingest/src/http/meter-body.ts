import { Transform } from 'node:stream';
import { ProblemError, problem } from './problem.ts';

/** Pieces that any body may come in, however small they are. */
export const MAX_SMALL_PIECES = 2_000;
/** Beyond them a piece has so many bytes on the average. */
export const MIN_PIECE_BYTES = 64;

/**
 * Passes a body on and gives it up when it comes in crumbs. Every piece is held as an object of its own, some hundred
 * bytes, until the body is complete: in chunks of one byte, a body that is small enough for every other bound fills the
 * memory of the process.
 */
export function createMeter(): Transform {
  let pieces = 0;
  let bytes = 0;
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      pieces += 1;
      bytes += piece.length;
      const small = pieces - bytes / MIN_PIECE_BYTES;
      if (small > MAX_SMALL_PIECES) done(new ProblemError(CRUMBS));
      else done(null, piece);
    },
  });
}

const CRUMBS = problem(
  'malformed_request',
  `the body comes in too many pieces: beyond ${MAX_SMALL_PIECES}, send ${MIN_PIECE_BYTES} bytes in each or more`,
);
