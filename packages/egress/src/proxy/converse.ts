import type { Socket } from 'node:net';

/** What was understood and how many bytes of what was received it took; or that more is needed, or that it is nonsense. */
export type Understood<Answer> = { readonly answer: Answer; readonly bytes: number } | 'more' | 'nonsense';

export type Understand<Answer> = (received: Buffer) => Understood<Answer>;

export type Answered<Answer> = { readonly answer: Answer } | { readonly broken: string };

/** No proxy has to say more before the tunnel is there. */
const MAX_ANSWER_BYTES = 16_384;
const HUNG_UP = 'the proxy hung up';

/**
 * Says something to a proxy and reads its answer, and not a byte more: what follows it is the receiver's. Ends when the
 * socket does: its deadline is whoever holds it.
 */
export function converse<Answer>(
  socket: Socket,
  words: string | Buffer,
  understand: Understand<Answer>,
): Promise<Answered<Answer>> {
  return new Promise((resolve) => {
    // It may have ended since its last answer was read: then nothing would tell.
    if (socket.destroyed) return resolve({ broken: HUNG_UP });
    let received: Buffer = Buffer.alloc(0);
    const end = (answered: Answered<Answer>): void => {
      socket.off('readable', read);
      socket.off('close', closed);
      resolve(answered);
    };
    const closed = (): void => end({ broken: HUNG_UP });
    const read = (): void => {
      for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
        received = Buffer.concat([received, chunk]);
      }
      const understood = understand(received);
      if (understood === 'nonsense') end({ broken: 'the proxy answered nonsense' });
      else if (understood !== 'more') {
        const rest = received.subarray(understood.bytes);
        if (rest.length > 0) socket.unshift(rest);
        end({ answer: understood.answer });
      } else if (received.length > MAX_ANSWER_BYTES) end({ broken: 'the proxy answered too much' });
    };
    socket.on('readable', read);
    socket.on('close', closed);
    socket.write(words);
  });
}
