import type { Socket } from 'node:net';

const LOOKS_PER_TIMEOUT = 3;

/**
 * Destroys a socket when no byte has come or gone for `timeoutMs`. TCP itself gives up a peer that vanished without a
 * word only after a quarter of an hour; until then its queries would hang and their connections be missing in the pool.
 * Looks at byte counts instead of listening, because the driver takes listeners off when it adds TLS by itself.
 */
export function watchSilence(socket: Socket, timeoutMs: number): void {
  let seen = -1;
  let quietLooks = 0;
  const timer = setInterval(() => {
    const now = socket.bytesRead + socket.bytesWritten;
    quietLooks = now === seen ? quietLooks + 1 : 0;
    seen = now;
    if (quietLooks >= LOOKS_PER_TIMEOUT) socket.destroy();
    if (socket.destroyed) clearInterval(timer);
  }, timeoutMs / LOOKS_PER_TIMEOUT);
  timer.unref();
}
