import type { Socket } from 'node:net';
import type { Asked, ForwardProxyOptions, Greeted } from './forward-proxy-greeting.ts';
import { readUntil } from './read-until.ts';

const PASSWORD = 2;
const NO_WAY_TO_LOG_IN = 0xff;
const HOST_UNREACHABLE = 4;
const IPV4 = 1;
const NAME = 3;

/** SOCKS version 5 (RFC 1928) with a password (RFC 1929), for clients that say nothing wrong. */
export async function greetBySocks5(socket: Socket, options: ForwardProxyOptions): Promise<Greeted | null> {
  if (!(await logIn(socket, options))) return null;
  const wish = await readUntil(socket, (received) => lengthOfWish(received));
  if (wish === null) return null;
  const reply = (code: number): void => void socket.write(Buffer.from([5, code, 0, IPV4, 0, 0, 0, 0, 0, 0]));
  if (options.refuseWith !== undefined) {
    reply(options.refuseWith);
    return null;
  }
  return { asked: readWish(wish), opened: () => reply(0), failed: () => reply(HOST_UNREACHABLE) };
}

async function logIn(socket: Socket, { credentials }: ForwardProxyOptions): Promise<boolean> {
  const greeting = await readUntil(socket, (received) => 2 + (received[1] ?? 0));
  if (greeting === null) return false;
  const method = credentials === undefined ? 0 : PASSWORD;
  const isOffered = greeting.subarray(2).includes(method);
  socket.write(Buffer.from([5, isOffered ? method : NO_WAY_TO_LOG_IN]));
  if (!isOffered || credentials === undefined) return isOffered;
  const [username, password] = [Buffer.from(credentials.username), Buffer.from(credentials.password)];
  const expected = Buffer.from([1, username.length, ...username, password.length, ...password]);
  const given = await readUntil(socket, (received) => lengthOfLogin(received));
  const isRight = given?.equals(expected) ?? false;
  socket.write(Buffer.from([1, isRight ? 0 : 1]));
  return isRight;
}

function lengthOfLogin(received: Buffer): number {
  const passwordAt = 2 + (received[1] ?? 0);
  return received.length <= passwordAt ? 0 : passwordAt + 1 + received[passwordAt]!;
}

function lengthOfWish(received: Buffer): number {
  if (received.length < 5) return 0;
  const addressBytes = received[3] === IPV4 ? 4 : received[3] === NAME ? 1 + received[4]! : 16;
  return 4 + addressBytes + 2;
}

function readWish(wish: Buffer): Asked {
  const address = wish.subarray(4, -2);
  return { host: readAddress(wish[3]!, address), port: wish.readUInt16BE(wish.length - 2) };
}

function readAddress(kind: number, bytes: Buffer): string {
  if (kind === IPV4) return bytes.join('.');
  if (kind === NAME) return bytes.subarray(1).toString();
  return bytes.toString('hex').replace(/(.{4})(?!$)/g, '$1:');
}
