import { isIP, type Socket } from 'node:net';
import { parseAddress } from '../parse-address.ts';
import { converse, type Understood } from './converse.ts';
import type { ProxyCredentials } from './parse-proxy-url.ts';
import type { ProxyRefusal, TunnelEnd } from './tunnel-end.ts';

const VERSION = 5;
const NO_AUTHENTICATION = 0;
const USERNAME_PASSWORD = 2;
const CREDENTIALS_VERSION = 1;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;
const SUCCEEDED = 0;
const TTL_EXPIRED = 6;

/** Opens a tunnel with SOCKS version 5 (RFC 1928), with a password (RFC 1929) where there is one. Null when it is there. */
export async function connectBySocks5(
  socket: Socket,
  end: TunnelEnd,
  credentials: ProxyCredentials | null,
): Promise<ProxyRefusal | null> {
  const methods = credentials === null ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, USERNAME_PASSWORD];
  const greeted = await converse(
    socket,
    Buffer.from([VERSION, methods.length, ...methods]),
    readPair(VERSION),
  );
  if ('broken' in greeted) return { operatorDetail: greeted.broken };
  if (!methods.includes(greeted.answer))
    return { operatorDetail: 'the proxy takes none of our ways to log in' };
  if (greeted.answer === USERNAME_PASSWORD) {
    const known = await converse(socket, login(credentials!), readPair(CREDENTIALS_VERSION));
    if ('broken' in known) return { operatorDetail: known.broken };
    if (known.answer !== SUCCEEDED) return { operatorDetail: 'the proxy refused our credentials' };
  }
  const connected = await converse(socket, connectTo(end), readReply);
  if ('broken' in connected) return { operatorDetail: connected.broken };
  const reply = connected.answer;
  if (reply === SUCCEEDED) return null;
  return { operatorDetail: `the proxy replied ${reply}`, timedOut: reply === TTL_EXPIRED };
}

function login({ username, password }: ProxyCredentials): Buffer {
  return Buffer.concat([Buffer.from([CREDENTIALS_VERSION]), counted(username), counted(password)]);
}

function connectTo({ address, port }: TunnelEnd): Buffer {
  const where = Buffer.from([port >> 8, port & 0xff]);
  return Buffer.concat([Buffer.from([VERSION, CONNECT, 0]), destination(address), where]);
}

function destination(address: string): Buffer {
  switch (isIP(address)) {
    case 4:
      return Buffer.from([IPV4, ...address.split('.').map(Number)]);
    case 6:
      return Buffer.concat([Buffer.from([IPV6]), ipv6Bytes(address)]);
    default:
      return Buffer.concat([Buffer.from([NAME]), counted(address)]);
  }
}

function ipv6Bytes(address: string): Buffer {
  const value = parseAddress(address)!.value;
  return Buffer.from(value.toString(16).padStart(32, '0'), 'hex');
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

/** A version and one byte. */
const readPair =
  (version: number) =>
  (received: Buffer): Understood<number> => {
    if (received.length < 2) return 'more';
    return received[0] === version ? { answer: received[1]!, bytes: 2 } : 'nonsense';
  };

/** Version, reply, a zero, and the address that the proxy calls from, which is of no interest but for its length. */
function readReply(received: Buffer): Understood<number> {
  if (received.length < 5) return 'more';
  const [version, reply, , kind, first] = received as unknown as [number, number, number, number, number];
  const addressBytes = { [IPV4]: 4, [IPV6]: 16, [NAME]: 1 + first }[kind];
  if (version !== VERSION || addressBytes === undefined) return 'nonsense';
  const bytes = 4 + addressBytes + 2;
  return received.length < bytes ? 'more' : { answer: reply, bytes };
}
