import { promisify } from 'node:util';
import { gzip as gzipCallback } from 'node:zlib';
import { crc32c } from '@node-rs/crc32';
import type { OutboundRecord } from './outbound.ts';

/**
 * Record batches of format 2 (https://kafka.apache.org/documentation/#recordbatch), written into one buffer per request.
 * kafkajs makes an encoder of at least 512 bytes per header and checksums in JavaScript: more than half of what a
 * produce costs.
 */

export type Compression = 'none' | 'gzip';

const gzip = promisify(gzipCallback);

const BATCH_OVERHEAD_BYTES = 61;
const LENGTH_AT = 8;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const GZIP_ATTRIBUTE = 1;
/** Attributes, time and offset delta, and the length in front of them. */
const RECORD_OVERHEAD_BYTES = 12;

/** Bytes of a record's key, value and headers with their lengths; what accounts for it in every bound. */
export function contentBytes(record: OutboundRecord): number {
  const { key, value, headers } = record;
  let bytes = key === null ? 1 : sizedBytes(Buffer.byteLength(key));
  bytes += value === null ? 1 : sizedBytes(value.length);
  let count = 0;
  for (const name in headers) {
    bytes += sizedBytes(Buffer.byteLength(name)) + sizedBytes(Buffer.byteLength(headers[name]!));
    count++;
  }
  return bytes + varintBytes(count);
}

export function batchBytesBound(contentBytesTotal: number, records: number): number {
  return BATCH_OVERHEAD_BYTES + contentBytesTotal + records * RECORD_OVERHEAD_BYTES;
}

export interface SizedRecord {
  readonly record: OutboundRecord;
  readonly contentBytes: number;
}

export async function encodeBatch(
  records: readonly SizedRecord[],
  timestampMs: number,
  compression: Compression,
): Promise<Buffer> {
  if (compression === 'none') return encodePlainBatch(records, timestampMs);
  const plain = encodePlainBatch(records, timestampMs);
  const packed = await gzip(plain.subarray(BATCH_OVERHEAD_BYTES));
  const batch = Buffer.concat([plain.subarray(0, BATCH_OVERHEAD_BYTES), packed]);
  batch.writeInt16BE(GZIP_ATTRIBUTE, ATTRIBUTES_AT);
  return seal(batch);
}

export function encodePlainBatch(records: readonly SizedRecord[], timestampMs: number): Buffer {
  let total = 0;
  for (const { contentBytes } of records) total += contentBytes;
  const buffer = Buffer.allocUnsafe(batchBytesBound(total, records.length));
  writeBatchHeader(buffer, records.length, timestampMs);
  let at = BATCH_OVERHEAD_BYTES;
  for (let i = 0; i < records.length; i++) at = writeRecord(buffer, at, records[i]!, i);
  return seal(buffer.subarray(0, at));
}

function writeBatchHeader(buffer: Buffer, records: number, timestampMs: number): void {
  const timestamp = BigInt(timestampMs);
  buffer.writeBigInt64BE(0n, 0); // base offset: the broker's to give
  buffer.writeInt32BE(-1, 12); // partition leader epoch
  buffer.writeInt8(2, 16); // magic
  buffer.writeInt16BE(0, ATTRIBUTES_AT);
  buffer.writeInt32BE(records - 1, 23); // last offset delta
  buffer.writeBigInt64BE(timestamp, 27);
  buffer.writeBigInt64BE(timestamp, 35);
  buffer.writeBigInt64BE(-1n, 43); // producer id: not idempotent
  buffer.writeInt16BE(-1, 51);
  buffer.writeInt32BE(-1, 53);
  buffer.writeInt32BE(records, 57);
}

function writeRecord(buffer: Buffer, from: number, sized: SizedRecord, offsetDelta: number): number {
  const { key, value, headers } = sized.record;
  let at = writeVarint(buffer, from, 2 + varintBytes(offsetDelta) + sized.contentBytes);
  buffer[at++] = 0; // attributes
  buffer[at++] = 0; // timestamp delta
  at = writeVarint(buffer, at, offsetDelta);
  at = key === null ? writeVarint(buffer, at, -1) : writeText(buffer, at, key);
  if (value === null) {
    at = writeVarint(buffer, at, -1);
  } else {
    at = writeVarint(buffer, at, value.length);
    at += value.copy(buffer, at);
  }
  let count = 0;
  for (const _name in headers) count++;
  at = writeVarint(buffer, at, count);
  for (const name in headers) at = writeText(buffer, writeText(buffer, at, name), headers[name]!);
  return at;
}

function writeText(buffer: Buffer, at: number, text: string): number {
  const bytes = Buffer.byteLength(text);
  const start = writeVarint(buffer, at, bytes);
  buffer.write(text, start, bytes, bytes === text.length ? 'latin1' : 'utf8');
  return start + bytes;
}

function seal(batch: Buffer): Buffer {
  batch.writeInt32BE(batch.length - LENGTH_AT - 4, LENGTH_AT);
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)) >>> 0, CRC_AT);
  return batch;
}

const sizedBytes = (bytes: number): number => varintBytes(bytes) + bytes;

/** Zigzag varints; lengths and deltas stay far below 2^30. */
function varintBytes(value: number): number {
  const zigzag = (value << 1) ^ (value >> 31);
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x200000 ? 3 : zigzag < 0x10000000 ? 4 : 5;
}

function writeVarint(buffer: Buffer, from: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let at = from;
  while (rest >= 0x80) {
    buffer[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[at++] = rest;
  return at;
}
