import { isIPv6, type Socket } from 'node:net';
import { converse, type Understood } from './converse.ts';
import type { ProxyCredentials } from './parse-proxy-url.ts';
import type { ProxyRefusal, TunnelEnd } from './tunnel-end.ts';

const GATEWAY_TIMEOUT = 504;

/** Opens a tunnel with CONNECT (RFC 9110 section 9.3.6). Null when it is there. */
export async function connectByHttp(
  socket: Socket,
  { address, port }: TunnelEnd,
  credentials: ProxyCredentials | null,
): Promise<ProxyRefusal | null> {
  const authority = isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
  const authorization = credentials === null ? '' : `Proxy-Authorization: ${basic(credentials)}\r\n`;
  const words = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`;
  const answered = await converse(socket, words, readStatus);
  if ('broken' in answered) return { operatorDetail: answered.broken };
  const status = answered.answer;
  if (status >= 200 && status < 300) return null;
  return { operatorDetail: `the proxy answered ${status}`, timedOut: status === GATEWAY_TIMEOUT };
}

function basic({ username, password }: ProxyCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** The status of the final response; what informational ones come before it is passed over. */
function readStatus(received: Buffer): Understood<number> {
  const text = received.toString('latin1');
  for (let from = 0; ; ) {
    const end = text.indexOf('\r\n\r\n', from);
    if (end === -1) return 'more';
    const status = Number(/^HTTP\/1\.[01] (\d{3})[ \r]/.exec(text.slice(from, end + 2))?.[1]);
    if (!(status >= 100)) return 'nonsense';
    if (status >= 200) return { answer: status, bytes: end + 4 };
    from = end + 4;
  }
}
