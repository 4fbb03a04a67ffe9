import type { Socket } from 'node:net';
import type { ForwardProxyOptions, Greeted } from './forward-proxy-greeting.ts';
import { readUntil } from './read-until.ts';

const HEAD_END = '\r\n\r\n';

/** CONNECT, of RFC 9110 as much as a client of ours may say. */
export async function greetByHttp(socket: Socket, options: ForwardProxyOptions): Promise<Greeted | null> {
  const head = await readUntil(socket, (received) => {
    const end = received.indexOf(HEAD_END);
    return end === -1 ? 0 : end + HEAD_END.length;
  });
  const asked = /^CONNECT (\S+):(\d+) HTTP\/1\.1\r\n/.exec(head?.toString('latin1') ?? '');
  if (head === null || asked === null) return null;
  const answer = (status: number): void => void socket.write(`HTTP/1.1 ${status} X\r\nx-proxy: test\r\n\r\n`);
  if (!mayPass(head.toString('latin1'), options)) {
    answer(407);
    return null;
  }
  if (options.refuseWith !== undefined) {
    answer(options.refuseWith);
    return null;
  }
  return {
    asked: { host: asked[1]!.replace(/^\[(.*)\]$/, '$1'), port: Number(asked[2]) },
    opened: () => answer(200),
    failed: () => answer(502),
  };
}

function mayPass(head: string, { credentials }: ForwardProxyOptions): boolean {
  if (credentials === undefined) return true;
  const given = /\r\nproxy-authorization: Basic (\S+)\r\n/i.exec(head)?.[1];
  const expected = `${credentials.username}:${credentials.password}`;
  return given !== undefined && Buffer.from(given, 'base64').toString() === expected;
}
