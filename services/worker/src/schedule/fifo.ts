/** A queue whose front is cheap: what was taken leaves a gap that is cut off once it is half of the array. */
export interface Fifo<T> {
  readonly length: number;
  push(item: T): void;
  shift(): T | undefined;
  unshift(item: T): void;
}

const LEAST_GAP = 64;

export function createFifo<T>(): Fifo<T> {
  let items: (T | undefined)[] = [];
  let head = 0;
  return {
    get length() {
      return items.length - head;
    },
    push: (item) => void items.push(item),
    shift() {
      if (head === items.length) return undefined;
      const item = items[head];
      items[head++] = undefined;
      if (head >= LEAST_GAP && head * 2 >= items.length) {
        items = items.slice(head);
        head = 0;
      }
      return item;
    },
    unshift(item) {
      if (head > 0) items[--head] = item;
      else items.unshift(item);
    },
  };
}
