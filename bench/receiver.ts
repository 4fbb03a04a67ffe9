import { createServer, type Socket } from 'node:net';

/**
 * The receivers of a load test, a process of its own and as cheap as one can be: a raw socket server that finds the
 * end of each request, notes its `webhook-id` and when it came, and answers 200 after `delayMs`. Asked over IPC for
 * its count, it answers; asked for the report, it answers and forgets.
 *
 * The first number of the payload, `"due":<Unix ms>`, is when the sender meant to post the event. With `timeline` as the
 * third argument the arrivals are kept one by one too, by the first part of their path, until they are asked for.
 */
export interface ReceiverReport {
  readonly arrivals: number;
  readonly unique: number;
  readonly duplicates: number;
  /** Milliseconds from when an event was due to when its delivery was here, sorted. */
  readonly latenciesMs: readonly number[];
}

/** By the first part of the path: when each delivery came (Unix ms) and how long after its due time, in turn. */
export type Timeline = Readonly<Record<string, readonly number[]>>;

const OK = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
const port = Number(process.argv[2]);
const delayMs = Number(process.argv[3] ?? 0);
const keepsTimeline = process.argv[4] === 'timeline';

let arrivals = 0;
let duplicates = 0;
let seen = new Set<string>();
let latencies: number[] = [];
let timeline: Record<string, number[]> = {};

function take(socket: Socket, request: Buffer, headEnd: number): void {
  arrivals += 1;
  const head = request.toString('latin1', 0, headEnd);
  const id = /\r\nwebhook-id: ([^\r]+)/i.exec(head)?.[1] ?? '';
  if (seen.has(id)) duplicates += 1;
  else seen.add(id);
  const due = /"due":([\d.]+)/.exec(request.toString('latin1', headEnd, headEnd + 120))?.[1];
  if (due) latencies.push(Date.now() - Number(due));
  if (due && keepsTimeline) note(head, Number(due));
  if (delayMs === 0) socket.write(OK);
  else setTimeout(() => socket.write(OK), delayMs);
}

function note(head: string, dueMs: number): void {
  const path = /^POST \/([^/ ]+)/.exec(head)?.[1] ?? '';
  const nowMs = Date.now();
  const noted = timeline[path];
  if (noted) noted.push(nowMs, nowMs - dueMs);
  else timeline[path] = [nowMs, nowMs - dueMs];
}

function contentLength(head: string): number {
  return Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
}

const server = createServer((socket) => {
  let pending: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (;;) {
      const headEnd = pending.indexOf(HEAD_END);
      if (headEnd < 0) return;
      const end = headEnd + 4 + contentLength(pending.toString('latin1', 0, headEnd));
      if (pending.length < end) return;
      take(socket, pending.subarray(0, end), headEnd);
      pending = pending.subarray(end);
    }
  });
});

process.on('message', (message: 'count' | 'report' | 'timeline') => {
  if (message === 'count') {
    process.send?.({ arrivals });
    return;
  }
  if (message === 'timeline') {
    process.send?.(timeline);
    timeline = {};
    return;
  }
  const report: ReceiverReport = {
    arrivals,
    unique: seen.size,
    duplicates,
    latenciesMs: latencies.sort((a, b) => a - b),
  };
  process.send?.(report);
  arrivals = 0;
  duplicates = 0;
  seen = new Set();
  latencies = [];
});
process.on('disconnect', () => process.exit(0));
server.listen(port, '0.0.0.0', () => process.send?.('ready'));
