import type { FetchedBatch } from '../src/kafkajs-internals.ts';

/** What a broker gives of partition 0 from one offset up to another: a log without those in `missing`, that ends at `end`. */
export function batchAt(
  from: number,
  to: number,
  { missing = [], end = to }: { missing?: readonly number[]; end?: number } = {},
): FetchedBatch {
  const offsets = Array.from({ length: to - from }, (_, i) => from + i);
  const messages = offsets
    .filter((offset) => !missing.includes(offset))
    .map((offset) => ({ offset: String(offset), timestamp: '0', key: null, value: null, headers: {} }));
  return {
    topic: 't',
    partition: 0,
    fetchedOffset: String(from),
    highWatermark: String(end),
    rawMessages: messages,
    messages,
    lastOffset: () => String(to - 1),
  };
}
