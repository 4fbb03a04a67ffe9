import { EarliestTimer } from './earliest-timer.ts';
import { LeaderRefresh } from './leader-refresh.ts';
import { type OutboundRecord, type ProduceAck, ProduceError, type ProduceReport } from './outbound.ts';
import { PartitionQueue, type Pending } from './partition-queue.ts';
import { classifyRefusal, nameOfErrorCode } from './produce-errors.ts';
import type { PartitionReply } from './produce-request.ts';
import type { ProduceTransport, SendBatch, SendOutcome } from './produce-transport.ts';
import { contentBytes } from './record-batch.ts';

/**
 * Modes: open (takes records) → closing (takes none, sends what it has) → closed (nothing left).
 * A record waits in its partition's queue, then is under way in one request, then is settled; a request that failed or
 * whose reply does not cover it puts it back.
 */

export interface BatcherOptions {
  maxLingerMs: number;
  maxBatchBytes: number;
  maxRequestBytes: number;
  maxBufferedBytes: number;
  maxBufferedRecords: number;
  maxInFlight: number;
  deliveryTimeoutMs: number;
  retryBackoffMs: { min: number; max: number };
  /** How often a closed fence is looked at again. */
  fencePollMs: number;
  mayStart: () => boolean;
  onRequest: (report: ProduceReport) => void;
  nowMs: () => number;
}

interface Request {
  readonly queues: Map<PartitionQueue, Pending[]>;
  readonly startedMs: number;
  bytes: number;
  records: number;
  written: boolean;
}

type Outcome = ProduceReport['outcome'];

export class Batcher {
  readonly #transport: ProduceTransport;
  readonly #options: BatcherOptions;
  readonly #queues = new Map<string, PartitionQueue>();
  /** Queues with something to send and no request under way, in the order in which they became so. */
  readonly #sendable = new Set<PartitionQueue>();
  readonly #requests = new Set<Request>();
  readonly #flushTimer: EarliestTimer;
  readonly #deadlineTimer: EarliestTimer;
  readonly #leaders: LeaderRefresh;
  #bufferedBytes = 0;
  #bufferedRecords = 0;
  #open = true;
  #whenDrained: (() => void) | null = null;
  #lastFlushMs = Number.NEGATIVE_INFINITY;

  constructor(transport: ProduceTransport, options: BatcherOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#flushTimer = new EarliestTimer(options.nowMs, () => this.#flush());
    this.#deadlineTimer = new EarliestTimer(options.nowMs, () => this.#expire());
    this.#leaders = new LeaderRefresh({
      refresh: (topics) => transport.refresh(topics),
      backoffMs: options.retryBackoffMs,
      nowMs: options.nowMs,
      lookAgainAt: (atMs) => this.#flushTimer.at(atMs),
    });
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  get bufferedRecords(): number {
    return this.#bufferedRecords;
  }

  send(record: OutboundRecord): Promise<ProduceAck> {
    const bytes = contentBytes(record);
    const refusal = this.#refusalOf(bytes);
    if (refusal !== null) return Promise.reject(new ProduceError('not_accepted', refusal));
    return new Promise((resolve, reject) => {
      const deadlineMs = this.#options.nowMs() + this.#options.deliveryTimeoutMs;
      this.#enqueue({
        record,
        contentBytes: bytes,
        deadlineMs,
        resolve,
        reject,
        settled: false,
        ambiguous: false,
        alone: false,
        cause: null,
      });
    });
  }

  /** Resolves when every record has been settled, at the latest a delivery time-out from now. */
  close(): Promise<void> {
    this.#open = false;
    return new Promise((resolve) => {
      this.#whenDrained = resolve;
      this.#flushTimer.at(this.#options.nowMs());
      this.#concludeDrain();
    });
  }

  #refusalOf(bytes: number): string | null {
    if (!this.#open) return 'the producer is stopped';
    const { maxBufferedBytes, maxBufferedRecords } = this.#options;
    if (this.#bufferedRecords >= maxBufferedRecords)
      return `${maxBufferedRecords} records are buffered already`;
    if (this.#bufferedBytes + bytes > maxBufferedBytes)
      return `more than ${maxBufferedBytes} bytes would be buffered`;
    return null;
  }

  #enqueue(pending: Pending): void {
    const { topic, partition } = pending.record;
    const key = `${topic}/${partition}`;
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = new PartitionQueue(topic, partition);
      this.#queues.set(key, queue);
    }
    queue.push(pending);
    this.#bufferedBytes += pending.contentBytes;
    this.#bufferedRecords++;
    this.#deadlineTimer.at(pending.deadlineMs);
    if (queue.underWay) return;
    this.#sendable.add(queue);
    this.#scheduleFlush(queue);
  }

  /**
   * The first record after a quiet time goes at once, with all that its caller sends in the same turn. After that
   * flushes are maxLingerMs apart, so that records wait for company only where there are many.
   */
  #scheduleFlush(queue: PartitionQueue): void {
    const full = queue.bytes >= this.#options.maxBatchBytes;
    const pacedMs = full ? this.#options.nowMs() : this.#lastFlushMs + this.#options.maxLingerMs;
    this.#flushTimer.at(Math.max(pacedMs, queue.retryAtMs));
  }

  #flush(): void {
    const nowMs = this.#options.nowMs();
    if (this.#sendable.size === 0 || this.#requests.size >= this.#options.maxInFlight) return;
    if (!this.#options.mayStart()) {
      this.#flushTimer.at(nowMs + this.#options.fencePollMs);
      return;
    }
    this.#lastFlushMs = nowMs;
    const requests = new Map<number, Request>();
    const unrouted: string[] = [];
    for (const queue of this.#sendable) {
      if (queue.retryAtMs > nowMs) {
        this.#flushTimer.at(queue.retryAtMs);
        continue;
      }
      const node = this.#transport.route(queue.topic, queue.partition);
      if (node === null) unrouted.push(queue.topic);
      else this.#join(requests, node, queue, nowMs);
    }
    for (const [node, request] of requests) void this.#run(node, request);
    if (unrouted.length > 0) this.#leaders.request(unrouted);
  }

  #join(requests: Map<number, Request>, node: number, queue: PartitionQueue, startedMs: number): void {
    let request = requests.get(node);
    if (request === undefined) {
      if (this.#requests.size >= this.#options.maxInFlight) return;
      request = { queues: new Map(), startedMs, bytes: 0, records: 0, written: false };
      requests.set(node, request);
      this.#requests.add(request);
    }
    if (request.bytes >= this.#options.maxRequestBytes) return;
    const records = queue.take(this.#options.maxBatchBytes);
    for (const pending of records) request.bytes += pending.contentBytes;
    request.records += records.length;
    request.queues.set(queue, records);
    queue.underWay = true;
    this.#sendable.delete(queue);
  }

  async #run(node: number, request: Request): Promise<void> {
    const batches: SendBatch[] = [];
    for (const [{ topic, partition }, records] of request.queues) batches.push({ topic, partition, records });
    const outcome = await this.#transport.send(node, batches, () => this.#passToSocket(request));
    this.#requests.delete(request);
    const worst = this.#conclude(request, outcome);
    const durationMs = this.#options.nowMs() - request.startedMs;
    this.#options.onRequest({ records: request.records, bytes: request.bytes, durationMs, outcome: worst });
    for (const queue of this.#sendable) this.#scheduleFlush(queue);
    this.#concludeDrain();
  }

  /** The last point at which nothing was written: what is too late by now must not go out. */
  #passToSocket(request: Request): void {
    if (!this.#options.mayStart()) throw new Error('the fence closed before the records were written');
    for (const records of request.queues.values()) {
      if (records.some(({ settled }) => settled))
        throw new Error('timed out before the records were written');
    }
    request.written = true;
  }

  #conclude(request: Request, outcome: SendOutcome): Outcome {
    let worst: Outcome = 'acknowledged';
    for (const [queue, records] of request.queues) {
      queue.underWay = false;
      const reply = outcome.kind === 'replied' ? replyOf(outcome.partitions, queue) : undefined;
      if (reply?.errorCode === 0) {
        this.#acknowledge(queue, records, reply);
      } else if (reply !== undefined) {
        worst = this.#refused(queue, records, reply.errorCode);
      } else {
        const uncovered = `the reply does not cover ${queue.topic}/${queue.partition}`;
        const cause = outcome.kind === 'failed' ? outcome.cause : new Error(uncovered);
        this.#leaders.request([queue.topic]);
        worst = this.#sendAgain(queue, records, request.written, cause);
      }
      if (queue.isSendable) this.#sendable.add(queue);
    }
    return worst;
  }

  #acknowledge(queue: PartitionQueue, records: readonly Pending[], reply: PartitionReply): void {
    queue.failures = 0;
    this.#leaders.acknowledged();
    const { partition, appendTimeMs, baseOffset } = reply;
    records.forEach((pending, i) => {
      if (this.#settle(pending)) pending.resolve({ partition, offset: baseOffset + i, appendTimeMs });
    });
  }

  #refused(queue: PartitionQueue, records: readonly Pending[], errorCode: number): Outcome {
    const cause = new Error(`${queue.topic}/${queue.partition}: ${nameOfErrorCode(errorCode)}`);
    const refusal = classifyRefusal(errorCode);
    switch (refusal) {
      case 'retry':
      case 'retry_ambiguous':
        this.#leaders.request([queue.topic]);
        return this.#sendAgain(queue, records, refusal === 'retry_ambiguous', cause);
      case 'too_large':
        if (records.length === 1) return this.#rejectAll(records, false, cause);
        for (const pending of records) pending.alone = true;
        return this.#sendAgain(queue, records, false, cause);
      case 'refused':
        return this.#rejectAll(records, false, cause);
      case 'ambiguous':
        return this.#rejectAll(records, true, cause);
      default:
        return refusal satisfies never;
    }
  }

  #sendAgain(
    queue: PartitionQueue,
    records: readonly Pending[],
    ambiguous: boolean,
    cause: unknown,
  ): Outcome {
    for (const pending of records) {
      pending.ambiguous ||= ambiguous;
      pending.cause = cause;
    }
    queue.putBack(records);
    const { min, max } = this.#options.retryBackoffMs;
    queue.retryAtMs = this.#options.nowMs() + Math.min(max, min * 2 ** queue.failures++);
    return 'resent';
  }

  #rejectAll(records: readonly Pending[], ambiguous: boolean, cause: unknown): Outcome {
    for (const pending of records) {
      pending.cause = cause;
      this.#reject(pending, ambiguous);
    }
    return records.some((pending) => pending.ambiguous) || ambiguous ? 'outcome_unknown' : 'not_accepted';
  }

  #reject(pending: Pending, ambiguous: boolean): void {
    if (!this.#settle(pending)) return;
    const { topic, partition } = pending.record;
    const cause = pending.cause ?? this.#leaders.failure;
    const reason =
      cause instanceof Error ? cause.message : `not sent in ${this.#options.deliveryTimeoutMs} ms`;
    const code = pending.ambiguous || ambiguous ? 'outcome_unknown' : 'not_accepted';
    pending.reject(new ProduceError(code, `${topic}/${partition}: ${reason}`, { cause }));
  }

  #settle(pending: Pending): boolean {
    if (pending.settled) return false;
    pending.settled = true;
    this.#bufferedBytes -= pending.contentBytes;
    this.#bufferedRecords--;
    return true;
  }

  #expire(): void {
    const nowMs = this.#options.nowMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { queues, written } of this.#requests) {
      for (const pending of [...queues.values()].flat()) {
        if (pending.deadlineMs <= nowMs) this.#reject(pending, written);
        else if (!pending.settled) nextMs = Math.min(nextMs, pending.deadlineMs);
      }
    }
    for (const queue of this.#queues.values()) {
      for (const pending of queue.takeExpired(nowMs)) this.#reject(pending, false);
      if (!queue.isSendable) this.#sendable.delete(queue);
      nextMs = Math.min(nextMs, queue.earliestDeadlineMs);
    }
    if (nextMs !== Number.POSITIVE_INFINITY) this.#deadlineTimer.at(nextMs);
    this.#concludeDrain();
  }

  #concludeDrain(): void {
    if (this.#whenDrained === null || this.#bufferedRecords > 0) return;
    this.#flushTimer.cancel();
    this.#deadlineTimer.cancel();
    this.#whenDrained();
    this.#whenDrained = null;
  }
}

function replyOf(partitions: readonly PartitionReply[], queue: PartitionQueue): PartitionReply | undefined {
  return partitions.find(({ topic, partition }) => partition === queue.partition && topic === queue.topic);
}
