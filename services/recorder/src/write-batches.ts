import { setTimeout as delay } from 'node:timers/promises';
import type { SetAsideRecord } from '@posthorn/db';
import type { TrackedRecord } from '@posthorn/kafka';
import type { Clock, Logger } from '@posthorn/runtime';
import type { Intake } from './consume/intake.ts';
import { type Item, type PassedItem, readRecord } from './consume/read-record.ts';
import type { RecorderMetrics, SourceTopic } from './metrics.ts';

export const FIRST_RETRY_MS = 100;
export const MAX_RETRY_MS = 5_000;

export interface Store {
  /** Writes all or nothing. */
  write(items: readonly Item[]): Promise<void>;
  setAside(record: SetAsideRecord): Promise<void>;
  /** Whether sending the same again would fail the same way. */
  isDataError(error: unknown): boolean;
}

export interface WriteBatchesOptions {
  readonly intake: Intake;
  readonly store: Store;
  readonly sourceOf: (topic: string) => SourceTopic;
  readonly batchRows: number;
  readonly lingerMs: number;
  readonly metrics: RecorderMetrics;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/**
 * Takes batches from the intake and writes them one after the other; the next gathers while the last is written. A
 * record is completed when everything of it is committed or set aside.
 *
 * Modes: idle → gathering → writing (→ waiting to retry → writing)* → idle. `stop` ends it from any of them; what was
 * not committed then is read again by the next owner.
 */
export interface BatchWriter {
  start(): void;
  /** Resolves when all that was queued is written, or `timeoutMs` are over. */
  drain(timeoutMs: number): Promise<void>;
  stop(): Promise<void>;
}

interface Batch {
  readonly items: Item[];
  /** `sources[i]` is the record of `items[i]`. */
  readonly sources: TrackedRecord[];
}

export function createBatchWriter(options: WriteBatchesOptions): BatchWriter {
  const { intake, store, metrics, clock, log } = options;
  const wait = options.wait ?? ((ms, signal) => delay(ms, undefined, { signal }));
  const stopping = new AbortController();
  const drained = new Set<() => void>();
  let draining = false;
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await orAborted(intake.arrival(), stopping.signal);
      if (!draining) await orAborted(intake.gathered(options.batchRows, options.lingerMs), stopping.signal);
      if (stopping.signal.aborted) return;
      await flush();
      if (intake.records === 0) for (const done of drained) done();
    }
  }

  async function flush(): Promise<void> {
    const startedMs = clock.monotonicMs();
    const records = intake.take(options.batchRows);
    if (records.length === 0) return;
    const batch = await read(records);
    const written = await writeOrSplit(batch);
    if (written) for (const record of records) record.complete();
    intake.release(records);
    metrics.batchRows.observe(batch.items.length);
    metrics.flushSeconds.observe((clock.monotonicMs() - startedMs) / 1_000);
  }

  async function read(records: readonly TrackedRecord[]): Promise<Batch> {
    const batch: Batch = { items: [], sources: [] };
    for (const record of records) {
      try {
        const { items, unknown } = readRecord(options.sourceOf(record.topic), record);
        for (const item of items) {
          batch.items.push(item);
          batch.sources.push(record);
        }
        if (unknown > 0) await setAside(record, `${unknown} entries of an unknown kind or shape`);
      } catch (error) {
        await setAside(record, messageOf(error));
        pass(batch, record);
      }
    }
    return batch;
  }

  /** What was set aside of `events` has its place in the order of what is written: see `recordOffsets`. */
  function pass(batch: Batch, record: TrackedRecord): void {
    if (options.sourceOf(record.topic) !== 'events') return;
    batch.items.push(passed(record));
    batch.sources.push(record);
  }

  /** False when it was stopped before all was written. */
  async function writeOrSplit({ items, sources }: Batch): Promise<boolean> {
    if (items.length === 0) return !stopping.signal.aborted;
    const failure = await retried(() => store.write(items));
    if (failure === undefined) return true;
    if (failure === 'stopped') return false;
    if (items.length === 1) return setAsideAndPass(sources[0]!, failure.error);
    const half = Math.ceil(items.length / 2);
    const first = await writeOrSplit({ items: items.slice(0, half), sources: sources.slice(0, half) });
    return first && writeOrSplit({ items: items.slice(half), sources: sources.slice(half) });
  }

  async function setAsideAndPass(record: TrackedRecord, error: unknown): Promise<boolean> {
    if (!(await setAside(record, messageOf(error)))) return false;
    if (options.sourceOf(record.topic) !== 'events') return true;
    return (await retried(() => store.write([passed(record)]))) !== 'stopped';
  }

  async function setAside(record: TrackedRecord, reason: string): Promise<boolean> {
    const { topic, partition, offset, headers } = record;
    log.error({ topic, partition, offset, reason }, 'record set aside');
    metrics.setAside.inc({ topic: options.sourceOf(topic) });
    const failure = await retried(() => store.setAside({ topic, partition, offset, reason, headers }));
    return failure !== 'stopped';
  }

  /** Undefined when it was done, the error when the data is at fault; else goes on until stopped. */
  async function retried(work: () => Promise<void>): Promise<undefined | 'stopped' | { error: unknown }> {
    for (let tries = 0; ; tries++) {
      try {
        const done = await orAborted(
          work().then(() => true),
          stopping.signal,
        );
        return done ? undefined : 'stopped';
      } catch (error) {
        if (store.isDataError(error)) return { error };
        if (stopping.signal.aborted) return 'stopped';
        const retryInMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** tries);
        metrics.writeRetries.inc();
        log.warn({ err: error, retry_in_ms: retryInMs }, 'record not written, trying again');
        await wait(retryInMs, stopping.signal).catch(() => undefined);
        if (stopping.signal.aborted) return 'stopped';
      }
    }
  }

  return {
    start() {
      running ??= run();
    },
    async drain(timeoutMs) {
      if (intake.records === 0 || running === undefined) return;
      draining = true;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, timeoutMs);
      drained.add(resolve);
      await orAborted(promise, stopping.signal);
      clearTimeout(timer);
      drained.delete(resolve);
      draining = false;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/**
 * Resolves or rejects with `work`, or resolves with undefined as soon as `signal` aborts. A race against one promise
 * that lives as long as the process would keep something of every batch.
 */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) {
    work.catch(() => undefined);
    return Promise.resolve(undefined);
  }
  return new Promise((resolve, reject) => {
    const abort = () => resolve(undefined);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

const passed = ({ topic, partition, offset }: TrackedRecord): PassedItem => ({
  kind: 'passed',
  topic,
  partition,
  offset,
});

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, 500);
