import { getEventListeners } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { secureSocket } from './secure-socket.ts';

/** Connected already, to a server that answers whatever it is asked with these bytes. */
const connectedTo = (answer: string): Socket =>
  new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      this.push(answer);
      done();
    },
  }) as Socket;

test.each([
  ['does not offer TLS', 'N'],
  ['said more than was asked', 'Sx'],
])(
  'a server that %s leaves nobody listening to the signal that ends all connections',
  async (says, answer) => {
    const closing = new AbortController();
    const address = { host: 'postgres', port: 5432 };
    const secured = secureSocket(connectedTo(answer), address, { verify: true }, closing.signal);
    expect(getEventListeners(closing.signal, 'abort')).toHaveLength(1);
    await expect(secured).rejects.toThrow(says);
    expect(getEventListeners(closing.signal, 'abort')).toEqual([]);
  },
);
