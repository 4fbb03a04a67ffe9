import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OutboundRecord } from './outbound.ts';
import { batchBytesBound, contentBytes, encodeBatch } from './record-batch.ts';

/** kafkajs' own reader, which this format is written for. */
const require = createRequire(import.meta.url);
const kafkajs = require.resolve('kafkajs').replace(/index\.js$/, 'src');
const Decoder = require(`${kafkajs}/protocol/decoder`);
const decodeBatch = require(`${kafkajs}/protocol/recordBatch/v0/decoder`);
const crc32C = require(`${kafkajs}/protocol/recordBatch/crc32C`);

const text = fc.string({ unit: 'grapheme', maxLength: 200 });
const outbound: fc.Arbitrary<OutboundRecord> = fc.record({
  topic: fc.constant('t'),
  partition: fc.constant(0),
  key: fc.option(text, { nil: null }),
  value: fc.option(
    fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
    { nil: null },
  ),
  headers: fc
    .dictionary(
      text.filter((name) => name !== '__proto__'),
      text,
      { maxKeys: 12 },
    )
    .map((headers) => ({ ...headers })),
});

test.each(['none', 'gzip'] as const)('is read as it was written (%s)', async (compression) => {
  await fc.assert(
    fc.asyncProperty(fc.array(outbound, { minLength: 1, maxLength: 150 }), async (records) => {
      const sized = records.map((record) => ({ record, contentBytes: contentBytes(record) }));
      const batch = await encodeBatch(sized, 1_234_567, compression);
      const total = sized.reduce((sum, each) => sum + each.contentBytes, 0);
      if (compression === 'none')
        expect(batch.length).toBeLessThanOrEqual(batchBytesBound(total, records.length));
      expect(batch.readUInt32BE(17)).toBe(crc32C(batch.subarray(21)));

      const decoded = await decodeBatch(new Decoder(batch));
      expect(decoded.records).toHaveLength(records.length);
      for (const [i, written] of records.entries()) expectSame(decoded.records[i], written, i);
    }),
    { numRuns: 40 },
  );
});

interface Read {
  offset: string;
  timestamp: string;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, Buffer>;
}

function expectSame(read: Read, written: OutboundRecord, offset: number): void {
  expect([read.offset, read.timestamp]).toEqual([String(offset), '1234567']);
  expect(read.key === null ? null : read.key.toString()).toBe(written.key);
  expect(read.value === null ? null : [...read.value]).toEqual(
    written.value === null ? null : [...written.value],
  );
  const headers = Object.fromEntries(Object.entries(read.headers).map(([k, v]) => [k, v.toString()]));
  expect(headers).toEqual(written.headers);
}
