/** Stands in the queue until woken (true) or for `ms` at most (false, and out of the queue). */
export function waitForTurn(queue: Set<() => void>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    const timer = setTimeout(() => {
      queue.delete(wake);
      resolve(false);
    }, ms);
    queue.add(wake);
  });
}
