import type { Socket } from 'node:net';

/** The first bytes, as many as `lengthOf` makes of them (0: not known yet), the rest left; null if the socket ends before. */
export function readUntil(socket: Socket, lengthOf: (received: Buffer) => number): Promise<Buffer | null> {
  return new Promise((resolve) => {
    let received: Buffer = Buffer.alloc(0);
    const end = (bytes: Buffer | null): void => {
      socket.off('readable', read);
      socket.off('close', closed);
      resolve(bytes);
    };
    const closed = (): void => end(null);
    const read = (): void => {
      for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
        received = Buffer.concat([received, chunk]);
      }
      const length = received.length === 0 ? 0 : lengthOf(received);
      if (length === 0 || received.length < length) return;
      const rest = received.subarray(length);
      if (rest.length > 0) socket.unshift(rest);
      end(received.subarray(0, length));
    };
    socket.on('readable', read);
    socket.on('close', closed);
  });
}
