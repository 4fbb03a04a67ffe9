import type { Socket } from 'node:net';

/** What a proxy does to the bytes that flow in one direction. */
export type Treatment =
  | { readonly kind: 'passing' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'late'; readonly delayMs: number }
  | { readonly kind: 'trickling'; readonly bytesPerSec: number };

export const PASSING: Treatment = { kind: 'passing' };

/** One direction of one connection. */
export interface Way {
  treat(treatment: Treatment): void;
  /** Says to the sink that nothing more comes. */
  end(): void;
}

/** Bytes held back for one connection; beyond it the sender is no longer read, as a full network would do. */
const MAX_HELD_BYTES = 1024 * 1024;
const DROP_MS = 50;

export function openWay(source: Socket, sink: Socket, first: Treatment): Way {
  const held: { bytes: Buffer; dueMs: number }[] = [];
  let heldBytes = 0;
  let treatment = first;
  let sourceEnded = false;
  let timer: NodeJS.Timeout | undefined;

  function arrange(): void {
    const wanted = treatment.kind !== 'silent' && heldBytes < MAX_HELD_BYTES && !sink.writableNeedDrain;
    if (wanted) source.resume();
    else source.pause();
  }
  function later(ms: number): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      flush();
    }, ms);
  }
  function flush(): void {
    while (held.length > 0 && treatment.kind !== 'silent' && sink.writable && !sink.writableNeedDrain) {
      const head = held[0]!;
      const waitMs = head.dueMs - performance.now();
      if (waitMs > 0) {
        later(waitMs);
        break;
      }
      const piece = treatment.kind === 'trickling' ? drop(treatment.bytesPerSec) : head.bytes.length;
      sink.write(head.bytes.subarray(0, piece));
      heldBytes -= Math.min(piece, head.bytes.length);
      if (piece < head.bytes.length) {
        head.bytes = head.bytes.subarray(piece);
        head.dueMs = performance.now() + DROP_MS;
      } else held.shift();
    }
    if (sourceEnded && held.length === 0 && !sink.writableEnded) sink.end();
    arrange();
  }

  source.on('data', (bytes: Buffer) => {
    const delayMs = treatment.kind === 'late' ? treatment.delayMs : 0;
    held.push({ bytes, dueMs: performance.now() + delayMs });
    heldBytes += bytes.length;
    flush();
  });
  source.on('end', () => {
    sourceEnded = true;
    flush();
  });
  sink.on('drain', flush);
  source.on('close', () => clearTimeout(timer));
  arrange();
  return {
    treat(next) {
      treatment = next;
      flush();
    },
    end() {
      if (!sink.writableEnded) sink.end();
    },
  };
}

function drop(bytesPerSec: number): number {
  return Math.max(1, Math.round((bytesPerSec * DROP_MS) / 1_000));
}
