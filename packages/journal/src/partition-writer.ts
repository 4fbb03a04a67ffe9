import { encodeJournal } from '@posthorn/contracts';
import { JournalError } from './journal-error.ts';

export interface PartitionWriterOptions {
  send(value: Buffer): Promise<unknown>;
  readonly maxDelayMs: number;
  readonly maxBytes: number;
  readonly maxSends: number;
  readonly retryDelayMs: number;
  settled(batch: { entries: number; bytes: number; sends: number; acknowledged: boolean }): void;
}

export interface PartitionWriter {
  fits(bytes: number): boolean;
  /** @param newer of a kind that the release before does not know */
  add(json: string, bytes: number, newer: boolean): Promise<void>;
  /** Writes without waiting for company from now on; resolves when nothing is left. */
  flush(): Promise<void>;
}

interface Waiting {
  readonly json: string;
  readonly newer: boolean;
  readonly bytes: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** `{"v":1,"entries":[],"newer":[]}` and some room for the version to grow. */
const ENVELOPE_BYTES = 48;

/**
 * One partition's batches, self-clocked: the next goes when the last is acknowledged.
 *
 * Modes: idle (nothing waits) → gathering (a timer runs) → sending (one batch is under way, others gather) → gathering
 * or idle. Flushing skips the gathering.
 */
export function createPartitionWriter(options: PartitionWriterOptions): PartitionWriter {
  const { maxBytes, maxDelayMs, maxSends } = options;
  let waiting: Waiting[] = [];
  let waitingBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let sending = false;
  let flushing = false;
  let idle: Array<() => void> = [];

  const batchIsFull = () => waitingBytes >= maxBytes - ENVELOPE_BYTES;

  function next(): void {
    if (sending) return;
    if (waiting.length === 0) {
      for (const resolve of idle) resolve();
      idle = [];
    } else if (flushing || batchIsFull()) {
      clearTimeout(timer);
      timer = undefined;
      void write();
    } else {
      timer ??= setTimeout(() => {
        timer = undefined;
        void write();
      }, untilNextTick());
    }
  }

  /** Partitions tick together, so that what several of them write is one request. */
  const untilNextTick = () => Math.ceil(maxDelayMs - (performance.now() % maxDelayMs));

  function takeBatch(): { batch: Waiting[]; bytes: number } {
    let bytes = 0;
    let size = ENVELOPE_BYTES;
    let count = 0;
    while (count < waiting.length && size + waiting[count]!.bytes + 1 <= maxBytes) {
      size += waiting[count]!.bytes + 1;
      bytes += waiting[count]!.bytes;
      count++;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    waitingBytes -= bytes + count;
    return { batch, bytes };
  }

  async function write(): Promise<void> {
    if (sending || waiting.length === 0) return;
    sending = true;
    const { batch, bytes } = takeBatch();
    const { error, sends } = await sendWithRetries(encode(batch));
    options.settled({ entries: batch.length, bytes, sends, acknowledged: error === undefined });
    for (const each of batch) error === undefined ? each.resolve() : each.reject(error);
    sending = false;
    next();
  }

  async function sendWithRetries(value: Buffer): Promise<{ error?: JournalError; sends: number }> {
    for (let sends = 1; ; sends++) {
      try {
        await options.send(value);
        return { sends };
      } catch (cause) {
        if (sends >= maxSends) {
          const message = `a journal batch was not acknowledged in ${sends} sends`;
          return { error: new JournalError('not_written', message, { cause }), sends };
        }
        await new Promise((resolve) => setTimeout(resolve, options.retryDelayMs * 2 ** (sends - 1)));
      }
    }
  }

  return {
    fits: (bytes) => bytes + 1 + ENVELOPE_BYTES <= maxBytes,
    add(json, bytes, newer) {
      return new Promise((resolve, reject) => {
        waiting.push({ json, newer, bytes, resolve, reject });
        waitingBytes += bytes + 1;
        next();
      });
    },
    flush() {
      flushing = true;
      return new Promise((resolve) => {
        idle.push(resolve);
        next();
      });
    },
  };
}

function encode(batch: readonly Waiting[]): Buffer {
  const entries: string[] = [];
  const newer: string[] = [];
  for (const each of batch) (each.newer ? newer : entries).push(each.json);
  return encodeJournal(entries, newer);
}
