/** What waits for its time, earliest first, bounded in count and bytes. */
export interface WaitingHeap<T> {
  /** False for want of room. One item is always let in, however large. */
  add(item: T, atMs: number, bytes: number): boolean;
  /** Takes the earliest item whose time has come out of the order. It keeps its room until `free`. */
  takeDue(nowMs: number): T | undefined;
  /** Gives back the room of an item that was taken. */
  free(bytes: number): void;
  /** Forgets every waiting item that `gone` names, room included. */
  drop(gone: (item: T) => boolean): void;
  /** When the earliest is due; undefined while nothing waits. */
  readonly nextAtMs: number | undefined;
  /** Items that hold room: waiting or taken and not freed. */
  readonly records: number;
  readonly bytes: number;
}

interface Entry<T> {
  readonly item: T;
  readonly atMs: number;
  readonly bytes: number;
}

export function createWaitingHeap<T>(bounds: { maxRecords: number; maxBytes: number }): WaitingHeap<T> {
  let heap: Entry<T>[] = [];
  let records = 0;
  let bytes = 0;

  function rise(from: number): void {
    let i = from;
    const entry = heap[i]!;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.atMs <= entry.atMs) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  function sink(from: number): void {
    let i = from;
    const entry = heap[i]!;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child += 1;
      if (heap[child]!.atMs >= entry.atMs) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = entry;
  }

  return {
    add(item, atMs, size) {
      if (records >= bounds.maxRecords || (records > 0 && bytes + size > bounds.maxBytes)) return false;
      records += 1;
      bytes += size;
      heap.push({ item, atMs, bytes: size });
      rise(heap.length - 1);
      return true;
    },
    takeDue(nowMs) {
      const first = heap[0];
      if (!first || first.atMs > nowMs) return undefined;
      const last = heap.pop()!;
      if (heap.length > 0) {
        heap[0] = last;
        sink(0);
      }
      return first.item;
    },
    free(size) {
      records -= 1;
      bytes -= size;
    },
    drop(gone) {
      heap = heap.filter((entry) => {
        if (!gone(entry.item)) return true;
        records -= 1;
        bytes -= entry.bytes;
        return false;
      });
      for (let i = (heap.length >> 1) - 1; i >= 0; i--) sink(i);
    },
    get nextAtMs() {
      return heap[0]?.atMs;
    },
    get records() {
      return records;
    },
    get bytes() {
      return bytes;
    },
  };
}
