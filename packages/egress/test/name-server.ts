import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { parseAddress } from '../src/parse-address.ts';

export const A = 1;
export const CNAME = 5;
export const TXT = 16;
export const AAAA = 28;
export const SERVFAIL = 2;
export const NXDOMAIN = 3;

export interface NameRecord {
  /** The name asked for when left out. */
  readonly name?: string;
  readonly type: number;
  readonly ttl?: number;
  /** An address, the name that a CNAME leads to, or the bytes of a TXT. */
  readonly data: string;
}

export interface NameAnswer {
  readonly code?: number;
  readonly records?: readonly NameRecord[];
}

export interface NameServer {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** Names asked for, once for each question. */
  readonly asked: readonly string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** A name server that says what the script says of a name and a type, when it says so; null is silence. */
export async function startNameServer(
  answer: (name: string, type: number) => NameAnswer | null | Promise<NameAnswer>,
): Promise<NameServer> {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  socket.on('message', async (query, from) => {
    const end = query.indexOf(0, 12) + 1;
    const name = readName(query.subarray(12, end));
    const type = query.readUInt16BE(end);
    asked.push(name);
    const reply = await answer(name, type);
    if (reply === null) return;
    const records = reply.records ?? [];
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180 | (reply.code ?? 0), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    const written = records.map((record) => writeRecord(record, name));
    socket.send(Buffer.concat([header, query.subarray(12, end + 4), ...written]), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, 'close');
    },
  };
}

function writeRecord({ name, type, ttl = 60, data }: NameRecord, askedFor: string): Buffer {
  const bytes = writeData(type, data);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(bytes.length, 8);
  return Buffer.concat([writeName(name ?? askedFor), fixed, bytes]);
}

function writeData(type: number, data: string): Buffer {
  if (type === TXT) return Buffer.from(data, 'latin1');
  return type === CNAME ? writeName(data) : writeAddress(data);
}

function writeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.alloc(1)]);
}

function readName(bytes: Buffer): string {
  const labels: string[] = [];
  for (let at = 0; bytes[at] !== 0; at += bytes[at]! + 1) {
    labels.push(bytes.toString('latin1', at + 1, at + 1 + bytes[at]!));
  }
  return labels.join('.').toLowerCase();
}

function writeAddress(text: string): Buffer {
  const { family, value } = parseAddress(text)!;
  return Buffer.from(value.toString(16).padStart(family === 4 ? 8 : 32, '0'), 'hex');
}
