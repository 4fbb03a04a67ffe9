/** One Ctrl-C reaches us from the terminal and again through npm; within this time they are one press. */
const SAME_PRESS_MS = 400;

export type Interrupt = {
  /** Aborts at the first request to stop. */
  readonly stop: AbortSignal;
  /** Aborts at the second: whatever still stops in order is to be ended at once. */
  readonly hurry: AbortSignal;
};

/**
 * Listens for every way in which we can be asked to stop: Ctrl-C, SIGTERM, a closed terminal, and the end of the
 * bootstrap that started us.
 */
export function listenForInterrupt(): Interrupt {
  const stop = new AbortController();
  const hurry = new AbortController();
  let firstAt = 0;
  const ask = () => {
    const now = performance.now();
    if (!stop.signal.aborted) {
      firstAt = now;
      stop.abort(new Error('asked to stop'));
    } else if (now - firstAt > SAME_PRESS_MS) {
      hurry.abort();
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask);
  process.once('disconnect', ask);
  // The channel tells us of its end without keeping us alive.
  process.channel?.unref();
  return { stop: stop.signal, hurry: hurry.signal };
}
