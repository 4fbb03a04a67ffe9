import type { Socket } from 'node:net';
import { type buildConnector, Client } from 'undici';
import { isConnectionError, StaleConnection } from './classify-error.ts';
import { Exchange, type Exchanged } from './exchange.ts';
import { LOOP_HEADER } from './loop-header.ts';
import type { DialPhases, OutboundRequest } from './outbound.ts';

export interface ConnectionOptions {
  /** How long it may stay open without a request; a shorter `Keep-Alive: timeout` of the receiver is respected. */
  readonly keepAliveMs: number;
  readonly maxResponseHeaderBytes: number;
  readonly monotonicMs: () => number;
  /** Our name in `cdn-loop`; null: without. */
  readonly loopName: string | null;
}

/** How much of a response may be anything else than its body: chunks of one byte are six, and headers have their own limit. */
const WIRE_BYTES_PER_BODY_BYTE = 16;
const LEAST_WIRE_BYTES = 65_536;

/** What a dial came to. */
export interface Opened {
  readonly socket: Socket;
  /** Which address it counts for. */
  readonly place: string;
  readonly phases: DialPhases;
}

/**
 * One open socket and the HTTP/1.1 client on it. Modes: *idle* and *busy* (the agent moves it between them), then
 * *closed*, for good: it never dials again, so what was vetted is what is used.
 */
export class Connection {
  readonly openedAtMs: number;
  readonly place: string;
  readonly phases: DialPhases;
  /** When its last request ended. */
  idleSinceMs: number;
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #monotonicMs: () => number;
  readonly #loopName: string | null;
  readonly #onClosed: (connection: Connection) => void;
  #served = 0;
  #exchange: Exchange | null = null;
  /** Of the socket, at which the response under way has more around its body than any honest one. */
  #mostBytesRead = 0;
  #isClosed = false;

  constructor(
    origin: string,
    { socket, place, phases }: Opened,
    options: ConnectionOptions,
    onClosed: (connection: Connection) => void,
  ) {
    const nowMs = options.monotonicMs();
    this.place = place;
    this.phases = phases;
    this.#socket = socket;
    this.#monotonicMs = options.monotonicMs;
    this.#loopName = options.loopName;
    this.#onClosed = onClosed;
    this.openedAtMs = nowMs;
    this.idleSinceMs = nowMs;
    this.#client = new Client(origin, {
      connect: this.#handOver(),
      pipelining: 1,
      keepAliveTimeout: options.keepAliveMs,
      keepAliveMaxTimeout: options.keepAliveMs,
      maxHeaderSize: options.maxResponseHeaderBytes,
      // The exchange's own deadline bounds both; these restart with every chunk.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    // Endless informational responses, chunk extensions or reason phrases call nothing of ours: only their bytes show.
    socket.on('readable', () => {
      if (this.#exchange !== null && socket.bytesRead > this.#mostBytesRead) this.#exchange.cutOff();
    });
    // While busy, undici tells the exchange first: only it knows whether the request was written.
    socket.once('close', () => {
      if (this.#exchange === null) this.close();
    });
  }

  /** undici calls it once to get the socket, and again only when that socket is gone before the request was written. */
  #handOver(): buildConnector.connector {
    let isHandedOver = false;
    return (_options, callback) => {
      const isGone = isHandedOver;
      isHandedOver = true;
      // Never in the same turn: undici would leave the request waiting.
      queueMicrotask(() => (isGone ? callback(new StaleConnection(), null) : callback(null, this.#socket)));
    };
  }

  get hasServed(): boolean {
    return this.#served > 0;
  }

  get isUsable(): boolean {
    return !this.#isClosed && !this.#socket.destroyed;
  }

  /** Whether the receiver ended or reset it; undici's errors alone don't tell that from a malformed response. */
  get endedByReceiver(): boolean {
    return this.#socket.readableEnded || isConnectionError(this.#socket.errored);
  }

  /** Settles exactly once and never rejects. After anything but a whole response the connection is closed. */
  exchange(request: OutboundRequest, maxResponseBytes: number, timeoutMs: number): Promise<Exchanged> {
    return new Promise((resolve) => {
      const limits = { maxResponseBytes, timeoutMs, mayWrite: request.mayWrite };
      const exchange = new Exchange(this.#socket, limits, this.#monotonicMs, (exchanged) => {
        this.#exchange = null;
        this.#served++;
        resolve(exchanged);
        if (exchanged.kind !== 'response' || exchanged.truncated) this.close();
      });
      this.#exchange = exchange;
      this.#mostBytesRead =
        this.#socket.bytesRead + LEAST_WIRE_BYTES + WIRE_BYTES_PER_BODY_BYTE * maxResponseBytes;
      const { target, method, body } = request;
      const headers = withLoopName(request.headers, this.#loopName);
      this.#client.dispatch({ path: target.path, method, headers, body }, exchange);
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClosed(this);
    this.#client.destroy(null, ignore);
    this.#socket.destroy();
  }
}

function withLoopName(headers: OutboundRequest['headers'], loopName: string | null): string[] {
  const flat = Array.isArray(headers) ? (headers as readonly string[]) : Object.entries(headers).flat();
  return loopName === null ? [...flat] : [...flat, LOOP_HEADER, loopName];
}

function ignore(): void {}
