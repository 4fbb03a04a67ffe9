/**
 * Replays of deliveries that nobody has recorded yet: they may be ahead of the recorder, or of something that never
 * was. They wait here and not where replays are decided, so that a flood of them holds nobody up.
 *
 * Modes of a replay: waiting → being asked for (its pause is over) → waiting again, or gone. Where there is no room, the
 * one that has waited longest, of the same tenant if that has more than its share, is asked for one last time.
 */
export interface AwaitRecording<T extends Awaited> {
  /** Resolves once it waits; that is at once unless another must be settled for its room. */
  wait(item: T): Promise<void>;
  readonly records: number;
  readonly bytes: number;
}

export interface Awaited {
  readonly tenantId: string;
  readonly bytes: number;
}

export interface AwaitRecordingOptions<T extends Awaited> {
  readonly maxRecords: number;
  readonly maxTenantRecords: number;
  readonly maxBytes: number;
  /** How long one may wait. */
  readonly maxWaitMs: number;
  monotonicMs(): number;
  /** Asks whether it is recorded; false: not yet. With `mayWait` false it must be settled now. Must not reject. */
  ask(item: T, mayWait: boolean): Promise<boolean>;
}

interface Entry<T> {
  readonly item: T;
  readonly untilMs: number;
  pauseMs: number;
  timer: NodeJS.Timeout | undefined;
}

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 2_000;

export function createAwaitRecording<T extends Awaited>(
  options: AwaitRecordingOptions<T>,
): AwaitRecording<T> {
  // In the order in which they came.
  const waiting = new Set<Entry<T>>();
  let bytes = 0;

  function pause(entry: Entry<T>): void {
    const leftMs = Math.max(entry.untilMs - options.monotonicMs(), 0);
    entry.timer = setTimeout(() => void askAgain(entry), Math.min(entry.pauseMs, leftMs));
    entry.pauseMs = Math.min(entry.pauseMs * 2, MAX_PAUSE_MS);
  }

  async function askAgain(entry: Entry<T>): Promise<void> {
    const mayWait = options.monotonicMs() < entry.untilMs;
    const settled = await options.ask(entry.item, mayWait);
    if (!waiting.has(entry)) return;
    if (settled || !mayWait) remove(entry);
    else pause(entry);
  }

  function remove(entry: Entry<T>): void {
    clearTimeout(entry.timer);
    if (waiting.delete(entry)) bytes -= entry.item.bytes;
  }

  /** Who must go so that this one has room; undefined when there is room. */
  function inTheWayOf({ tenantId, bytes: size }: T): Entry<T> | undefined {
    const own = [...waiting].filter((entry) => entry.item.tenantId === tenantId);
    if (own.length >= options.maxTenantRecords) return own[0];
    const full = waiting.size >= options.maxRecords || (waiting.size > 0 && bytes + size > options.maxBytes);
    return full ? waiting.values().next().value : undefined;
  }

  return {
    async wait(item) {
      for (let last = inTheWayOf(item); last !== undefined; last = inTheWayOf(item)) {
        remove(last);
        await options.ask(last.item, false);
      }
      const entry = {
        item,
        untilMs: options.monotonicMs() + options.maxWaitMs,
        pauseMs: FIRST_PAUSE_MS,
        timer: undefined,
      };
      waiting.add(entry);
      bytes += item.bytes;
      pause(entry);
    },
    get records() {
      return waiting.size;
    },
    get bytes() {
      return bytes;
    },
  };
}
