import type { BatcherOptions } from './batcher-options.ts';
import { EarliestTimer } from './earliest-timer.ts';
import { LeaderRefresh } from './leader-refresh.ts';
import { type OutboundRecord, type ProduceAck, ProduceError, type ProduceReport } from './outbound.ts';
import { PartitionQueue, type Pending, rejectionOf } from './partition-queue.ts';
import { ProduceAttempt } from './produce-attempt.ts';
import { classifyRefusal, nameOfErrorCode } from './produce-errors.ts';
import { type PartitionReply, replyFor } from './produce-request.ts';
import type { ProduceTransport, SendOutcome } from './produce-transport.ts';
import { contentBytes } from './record-batch.ts';

/**
 * Modes: open (takes records) → closing (takes none, sends what it has) → closed (nothing left).
 * A record waits in its partition's queue, then is under way in one request, then is settled; a request that failed or
 * whose reply does not cover it puts it back.
 */

type Outcome = ProduceReport['outcome'];
const FROM_BEST_TO_WORST: readonly Outcome[] = ['acknowledged', 'resent', 'not_accepted', 'outcome_unknown'];

export class Batcher {
  readonly #transport: ProduceTransport;
  readonly #options: BatcherOptions;
  readonly #queues = new Map<string, PartitionQueue>();
  /** Queues with something to send and no request under way, in the order in which they became so. */
  readonly #sendable = new Set<PartitionQueue>();
  readonly #attempts = new Set<ProduceAttempt>();
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
    if (this.#sendable.size === 0 || this.#attempts.size >= this.#options.maxInFlight) return;
    if (!this.#options.mayStart()) {
      this.#flushTimer.at(nowMs + this.#options.fencePollMs);
      return;
    }
    this.#lastFlushMs = nowMs;
    const attempts = new Map<number, ProduceAttempt>();
    const unrouted: string[] = [];
    for (const queue of this.#sendable) {
      if (queue.retryAtMs > nowMs) {
        this.#flushTimer.at(queue.retryAtMs);
        continue;
      }
      const node = this.#transport.route(queue.topic, queue.partition);
      if (node === null) unrouted.push(queue.topic);
      else this.#join(attempts, node, queue, nowMs);
    }
    for (const [node, attempt] of attempts) void this.#run(node, attempt);
    if (unrouted.length > 0) this.#leaders.request(unrouted);
  }

  #join(attempts: Map<number, ProduceAttempt>, node: number, queue: PartitionQueue, startedMs: number): void {
    let attempt = attempts.get(node);
    if (attempt === undefined) {
      if (this.#attempts.size >= this.#options.maxInFlight) return;
      attempt = new ProduceAttempt(startedMs);
      attempts.set(node, attempt);
      this.#attempts.add(attempt);
    }
    if (attempt.bytes >= this.#options.maxRequestBytes) return;
    attempt.take(queue, this.#options.maxBatchBytes);
    this.#sendable.delete(queue);
  }

  async #run(node: number, attempt: ProduceAttempt): Promise<void> {
    const { mayStart, nowMs, onRequest } = this.#options;
    const beforeWrite = () => attempt.passToSocket(mayStart(), nowMs());
    const result = await this.#transport.send(node, attempt.batches(), beforeWrite);
    this.#attempts.delete(attempt);
    const outcome = this.#conclude(attempt, result);
    const { records, bytes, startedMs } = attempt;
    onRequest({ records, bytes, durationMs: nowMs() - startedMs, outcome });
    for (const queue of this.#sendable) this.#scheduleFlush(queue);
    this.#concludeDrain();
  }

  /** The worst that came of any of its partitions. */
  #conclude(attempt: ProduceAttempt, result: SendOutcome): Outcome {
    let worst = 0;
    for (const [queue, records] of attempt.taken) {
      queue.underWay = false;
      const outcome = this.#concludePartition(queue, records, attempt.written, result);
      worst = Math.max(worst, FROM_BEST_TO_WORST.indexOf(outcome));
      if (queue.isSendable) this.#sendable.add(queue);
    }
    return FROM_BEST_TO_WORST[worst]!;
  }

  #concludePartition(
    queue: PartitionQueue,
    records: Pending[],
    written: boolean,
    result: SendOutcome,
  ): Outcome {
    const reply = result.kind === 'replied' ? replyFor(result.partitions, queue) : undefined;
    if (reply?.errorCode === 0) return this.#acknowledge(queue, records, reply);
    if (reply !== undefined) return this.#refused(queue, records, reply.errorCode);
    const uncovered = () => new Error(`the reply does not cover ${queue.topic}/${queue.partition}`);
    this.#leaders.request([queue.topic]);
    return this.#sendAgain(queue, records, written, result.kind === 'failed' ? result.cause : uncovered());
  }

  #acknowledge(queue: PartitionQueue, records: readonly Pending[], reply: PartitionReply): Outcome {
    queue.failures = 0;
    this.#leaders.acknowledged();
    const { partition, appendTimeMs, baseOffset } = reply;
    records.forEach((pending, i) => {
      if (this.#settle(pending)) pending.resolve({ partition, offset: baseOffset + i, appendTimeMs });
    });
    return 'acknowledged';
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
    const code = pending.ambiguous || ambiguous ? 'outcome_unknown' : 'not_accepted';
    pending.reject(rejectionOf(pending, code, pending.cause ?? this.#leaders.failure));
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
    for (const { taken, written } of this.#attempts) {
      for (const pending of [...taken].flatMap(([, records]) => records)) {
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
