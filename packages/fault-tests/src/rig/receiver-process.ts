import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nowMs } from '../now.ts';
import type { Behaviour, ReceiverMessage } from './behaviour.ts';

/**
 * The receivers of a fault test: a process of its own, which nothing kills, that writes every request and every answer
 * to a file that only grows. A line is `+`, a number, and what came; or `=`, that number, when it was answered and how.
 */
const ledger = process.argv[2]!;
const behaviours = new Map<string, Behaviour>();
const FLUSH_MS = 20;
const FAILURE = 500;
let count = 0;
let lines = '';

function write(fields: readonly (string | number)[]): void {
  lines += `${fields.join('\t')}\n`;
}

setInterval(() => {
  if (lines === '') return;
  appendFileSync(ledger, lines);
  lines = '';
}, FLUSH_MS);

async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const digest = createHash('sha256');
  for await (const chunk of request) digest.update(chunk);
  count += 1;
  const number = count;
  const path = request.url ?? '';
  const text = (name: string): string => String(request.headers[name] ?? '-').replaceAll(/\s/g, '_');
  const deliveryId = text('webhook-id');
  const attempt = Number(text('x-webhook-attempt'));
  const facts = [deliveryId, text('x-webhook-event-id'), text('x-webhook-run'), attempt];
  write(['+', number, nowMs().toFixed(2), path, ...facts, digest.digest('hex').slice(0, 24)]);
  const behaviour = behaviours.get(path) ?? {};
  if (behaviour.hangs) return;
  const status = choose(behaviour, deliveryId, attempt);
  const answer = () => {
    response.writeHead(status, { 'content-length': 0 }).end();
  };
  response.once('finish', () => write(['=', number, nowMs().toFixed(2), status]));
  const delayMs = (behaviour.delayMs ?? 0) * (1 + chanceOf(deliveryId));
  if (delayMs === 0) answer();
  else setTimeout(answer, delayMs);
}

function choose(behaviour: Behaviour, deliveryId: string, attempt: number): number {
  const fails =
    attempt <= (behaviour.failAttempts ?? 0) ||
    (attempt === 1 && 100 * chanceOf(deliveryId) < (behaviour.failFirstPercent ?? 0));
  return fails ? FAILURE : (behaviour.status ?? 200);
}

/** From 0 to 1, the same for every attempt of a delivery: an id ends in a hash. */
function chanceOf(deliveryId: string): number {
  return (Number.parseInt(deliveryId.slice(-4), 16) || 0) / 0x1_0000;
}

const server = createServer((request, response) => {
  take(request, response).catch(() => response.destroy());
});
server.keepAliveTimeout = 60_000;
process.on('message', ({ path, behaviour }: ReceiverMessage) => {
  behaviours.set(path, behaviour);
  process.send?.('done');
});
process.on('disconnect', () => process.exit(0));
server.listen(0, '0.0.0.0', () => process.send?.((server.address() as AddressInfo).port));
