import type { ProtocolCall } from './kafkajs-internals.ts';

/** Produce, version 7: https://kafka.apache.org/protocol#The_Messages_Produce */

export interface EncodedBatch {
  topic: string;
  partition: number;
  batch: Buffer;
}

export interface PartitionReply {
  topic: string;
  partition: number;
  errorCode: number;
  baseOffset: number;
  appendTimeMs: number | null;
}

export interface ProduceReply {
  partitions: PartitionReply[];
  clientSideThrottleTime: number;
}

const ACKS_ALL = -1;

/**
 * kafkajs' own request throws at the first partition that failed and drops what the others were told.
 * `beforeWrite` runs right before the bytes go to the socket; what it throws keeps them from going.
 */
export function produceCall(
  batches: readonly EncodedBatch[],
  timeoutMs: number,
  beforeWrite: () => void,
): ProtocolCall<ProduceReply> {
  return {
    request: {
      apiKey: 0,
      apiVersion: 7,
      apiName: 'Produce',
      async encode() {
        const body = encodeBody(batches, timeoutMs);
        beforeWrite();
        return { buf: body, buffer: body };
      },
    },
    response: { decode: async (raw) => decodeReply(raw), parse: async (reply) => reply },
    logResponseError: false,
  };
}

function encodeBody(batches: readonly EncodedBatch[], timeoutMs: number): Buffer {
  const byTopic = Map.groupBy(batches, ({ topic }) => topic);
  let size = 12;
  for (const [topic, parts] of byTopic) {
    size += 6 + Buffer.byteLength(topic);
    for (const { batch } of parts) size += 8 + batch.length;
  }
  const body = Buffer.allocUnsafe(size);
  let at = body.writeInt16BE(-1, 0); // transactional id: none
  at = body.writeInt16BE(ACKS_ALL, at);
  at = body.writeInt32BE(timeoutMs, at);
  at = body.writeInt32BE(byTopic.size, at);
  for (const [topic, parts] of byTopic) {
    at = body.writeInt16BE(Buffer.byteLength(topic), at);
    at += body.write(topic, at);
    at = body.writeInt32BE(parts.length, at);
    for (const { partition, batch } of parts) {
      at = body.writeInt32BE(partition, at);
      at = body.writeInt32BE(batch.length, at);
      at += batch.copy(body, at);
    }
  }
  return body;
}

export function decodeReply(raw: Buffer): ProduceReply {
  const partitions: PartitionReply[] = [];
  let at = 4;
  for (let topics = raw.readInt32BE(0); topics > 0; topics--) {
    const nameBytes = raw.readInt16BE(at);
    const topic = raw.toString('utf8', at + 2, at + 2 + nameBytes);
    at += 2 + nameBytes;
    let count = raw.readInt32BE(at);
    at += 4;
    for (; count > 0; count--, at += 30) {
      const appendTimeMs = Number(raw.readBigInt64BE(at + 14));
      partitions.push({
        topic,
        partition: raw.readInt32BE(at),
        errorCode: raw.readInt16BE(at + 4),
        baseOffset: Number(raw.readBigInt64BE(at + 6)),
        appendTimeMs: appendTimeMs < 0 ? null : appendTimeMs,
      });
    }
  }
  return { partitions, clientSideThrottleTime: raw.readInt32BE(at) };
}

export function replyFor(
  replies: readonly PartitionReply[],
  place: { topic: string; partition: number },
): PartitionReply | undefined {
  return replies.find(({ topic, partition }) => partition === place.partition && topic === place.topic);
}
