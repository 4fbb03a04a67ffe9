import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import { ResponseBody } from './response-body.ts';

/**
 * A response as read, or why there is none. `sent` tells whether the socket took any of the request, `answeredAtMs` when
 * the head of the final response came, by the clock that was given.
 */
export type Exchanged = { readonly answeredAtMs: number | null } & Ended;

type Ended =
  | {
      readonly kind: 'response';
      readonly status: number;
      readonly headers: Record<string, string | string[]>;
      readonly body: Buffer;
      readonly truncated: boolean;
    }
  | { readonly kind: 'timeout'; readonly sent: boolean; readonly status: number | null }
  | { readonly kind: 'withheld' }
  | { readonly kind: 'overlong' }
  | { readonly kind: 'bad_status'; readonly received: number }
  | {
      readonly kind: 'error';
      readonly error: unknown;
      readonly sent: boolean;
      readonly status: number | null;
    };

export interface ExchangeLimits {
  readonly maxResponseBytes: number;
  readonly timeoutMs: number;
  readonly mayWrite: (() => boolean) | undefined;
}

const MAX_HEADERS = 64;
const HIGHEST_STATUS = 599;

/**
 * One request and its response on one connection. Modes: *unsent* (undici may still find the connection dead), *withheld*
 * or *sent*, *reading* (a final status has come), *over*. Whatever ends it first (end of the response, its byte limit, the deadline,
 * an error) settles it once; undici's later calls change nothing.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #socket: Socket;
  readonly #settle: (exchanged: Exchanged) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #body: ResponseBody;
  readonly #mayWrite: (() => boolean) | undefined;
  readonly #monotonicMs: () => number;
  #isOver = false;
  #withheld = false;
  #sent = false;
  #status: number | null = null;
  #answeredAtMs: number | null = null;
  #headers: Record<string, string | string[]> = {};

  constructor(
    socket: Socket,
    { maxResponseBytes, timeoutMs, mayWrite }: ExchangeLimits,
    monotonicMs: () => number,
    settle: (exchanged: Exchanged) => void,
  ) {
    this.#socket = socket;
    this.#mayWrite = mayWrite;
    this.#monotonicMs = monotonicMs;
    this.#body = new ResponseBody(maxResponseBytes);
    this.#settle = settle;
    // The only clock that bounds endless informational responses and bodies that trickle: undici's own restart.
    this.#timer = setTimeout(
      () => this.#end({ kind: 'timeout', sent: this.#sent, status: this.#status }),
      timeoutMs,
    );
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#mayWrite?.() === false) {
      // undici answers with an error, in this turn, and writes nothing.
      this.#withheld = true;
      controller.abort(new Error('withheld'));
      return;
    }
    this.#sent = true;
    // undici writes now, in this turn. A first write that fails within it took nothing (had a part been taken, the rest
    // would wait for the socket): the receiver had reset the connection before.
    process.nextTick(() => {
      if (this.#socket.errored !== null) this.#sent = false;
    });
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (this.#isOver) return;
    if (status >= 100 && status < 200) return;
    if (status < 100 || status > HIGHEST_STATUS) {
      this.#end({ kind: 'bad_status', received: status });
      return;
    }
    this.#status = status;
    this.#answeredAtMs = this.#monotonicMs();
    this.#headers = firstHeaders(headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return;
    this.#body.append(chunk);
    if (this.#body.truncated) this.#endWithResponse();
  }

  onResponseEnd(): void {
    this.#endWithResponse();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#withheld) this.#end({ kind: 'withheld' });
    else this.#end({ kind: 'error', error, sent: this.#sent, status: this.#status });
  }

  /** The receiver says more than any response has to: what is known of it by then stands. */
  cutOff(): void {
    if (this.#status === null) this.#end({ kind: 'overlong' });
    else this.#endWithResponse(true);
  }

  #endWithResponse(truncated = this.#body.truncated): void {
    this.#end({
      kind: 'response',
      status: this.#status!,
      headers: this.#headers,
      body: this.#body.read(),
      truncated,
    });
  }

  #end(ended: Ended): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#settle({ ...ended, answeredAtMs: this.#answeredAtMs });
  }
}

function firstHeaders(
  received: Record<string, string | string[] | undefined>,
): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = Object.create(null);
  let count = 0;
  for (const name in received) {
    if (count === MAX_HEADERS) break;
    const value = received[name];
    if (value === undefined) continue;
    kept[name] = typeof value === 'string' ? value : value.slice(0, MAX_HEADERS);
    count++;
  }
  return kept;
}
