import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSignalledList } from './signalled-list.ts';

/** One request as it came, its body unchanged. */
export interface Arrival {
  /** Unix milliseconds at which the whole request was there. */
  readonly atMs: number;
  /** The same moment on this process' monotonic clock. */
  readonly monotonicMs: number;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** How many requests this path had before. */
  readonly nth: number;
}

export interface Reply {
  /** 200 when left out. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly delayMs?: number;
}

/** `hang` never answers, `reset` cuts the connection. */
export type Answer = Reply | 'hang' | 'reset';
/** A list is used up in order, its last answer repeats. */
export type Answers = Answer | readonly Answer[] | ((arrival: Arrival) => Answer | Promise<Answer>);

export interface WaitForOptions {
  readonly timeoutMs?: number;
  readonly what?: string;
}

export interface Receiver {
  readonly port: number;
  url(path?: string): string;
  /** Says how requests to `path` are answered from now on; what is not said answers 200. */
  answer(path: string, answers: Answers): void;
  /** What has arrived, oldest first. */
  arrivals(path?: string): readonly Arrival[];
  /** Requests that have come and have no answer yet. */
  readonly open: number;
  /** The most that were open at once since the start. */
  readonly peakOpen: number;
  /** Resolves as soon as the predicate holds for what has arrived; it is asked again at every arrival. */
  waitFor(
    predicate: (arrivals: readonly Arrival[]) => boolean,
    options?: WaitForOptions,
  ): Promise<readonly Arrival[]>;
  /** Resolves with the arrivals (at `path`, if given) as soon as there are `count` of them. */
  waitForCount(count: number, path?: string, options?: WaitForOptions): Promise<readonly Arrival[]>;
  /** Forgets what has arrived. */
  clear(): void;
  close(): Promise<void>;
}

export interface ReceiverOptions {
  /** 0, the default, takes any free one. */
  readonly port?: number;
  readonly host?: string;
}

/** An HTTP server that plays a tenant's endpoint. */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const { port = 0, host = '127.0.0.1' } = options;
  const all = createSignalledList<Arrival>();
  const byPath = new Map<string, Arrival[]>();
  const answers = new Map<string, Answers>();
  let open = 0;
  let peakOpen = 0;

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    open += 1;
    peakOpen = Math.max(peakOpen, open);
    response.once('close', () => {
      open -= 1;
    });
    const arrival = await readArrival(request, (path) => byPath.get(path)?.length ?? 0);
    const known = byPath.get(arrival.path);
    if (known) known.push(arrival);
    else byPath.set(arrival.path, [arrival]);
    all.push(arrival);
    await reply(response, await chooseAnswer(answers.get(arrival.path), arrival));
  }

  const server = createServer((request, response) => {
    // A sender that went away leaves nothing to answer.
    take(request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  const at = (path: string | undefined): readonly Arrival[] =>
    path === undefined ? all.items : (byPath.get(path) ?? []);
  return {
    port: bound,
    url: (path = '/') => `http://${host}:${bound}${path}`,
    answer: (path, given) => void answers.set(path, given),
    arrivals: (path) => [...at(path)],
    get open() {
      return open;
    },
    get peakOpen() {
      return peakOpen;
    },
    async waitFor(predicate, { timeoutMs, what = 'the arrivals waited for' } = {}) {
      await all.waitFor(() => predicate(all.items), { what, timeoutMs });
      return [...all.items];
    },
    async waitForCount(count, path, { timeoutMs, what } = {}) {
      const named = () => what ?? `${count} arrivals${path ? ` at ${path}` : ''}, ${at(path).length} came`;
      await all.waitFor(() => at(path).length >= count, { what: named, timeoutMs });
      return [...at(path)];
    },
    clear() {
      all.clear();
      byPath.clear();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readArrival(
  request: IncomingMessage,
  countBefore: (path: string) => number,
): Promise<Arrival> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const path = request.url ?? '/';
  return {
    atMs: Date.now(),
    monotonicMs: performance.now(),
    method: request.method ?? '',
    path,
    headers: request.headers,
    body: Buffer.concat(chunks),
    nth: countBefore(path),
  };
}

async function chooseAnswer(answers: Answers | undefined, arrival: Arrival): Promise<Answer> {
  if (answers === undefined) return {};
  if (typeof answers === 'function') return answers(arrival);
  if (isList(answers)) return answers[Math.min(arrival.nth, answers.length - 1)] ?? {};
  return answers;
}

const isList = (answers: Answers): answers is readonly Answer[] => Array.isArray(answers);

async function reply(response: ServerResponse, answer: Answer): Promise<void> {
  if (answer === 'hang') return;
  if (answer === 'reset') {
    response.socket?.resetAndDestroy();
    return;
  }
  const { status = 200, headers, body = '', delayMs = 0 } = answer;
  const send = () => void response.writeHead(status, headers).end(body);
  if (delayMs === 0) send();
  else setTimeout(send, delayMs);
}
