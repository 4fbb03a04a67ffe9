import { fork } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { waitUntil } from '@posthorn/testkit';
import type { Arrival } from '../oracle/ledgers.ts';
import type { Behaviour, ReceiverMessage } from './behaviour.ts';

export interface ReceiverHandle {
  readonly port: number;
  /** Hosts are many, since what goes to one host is capped over all tenants. */
  url(path: string, host?: string): string;
  behave(path: string, behaviour: Behaviour): Promise<void>;
  /** All that has arrived, read from the ledger up to now. */
  arrivals(): Promise<readonly Arrival[]>;
  waitForCount(count: number): Promise<void>;
  close(): Promise<void>;
}

const READ_BYTES = 1024 * 1024;

export async function startReceiver(ledgerFile: string): Promise<ReceiverHandle> {
  const script = fileURLToPath(new URL('receiver-process.ts', import.meta.url));
  const child = fork(script, [ledgerFile], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [port] = (await once(child, 'message')) as [number];
  const file = await open(ledgerFile, 'a+');
  const arrivals: Arrival[] = [];
  const buffer = Buffer.alloc(READ_BYTES);
  let position = 0;
  let partial = '';

  async function readOn(): Promise<void> {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      const lines = (partial + buffer.toString('latin1', 0, bytesRead)).split('\n');
      partial = lines.pop()!;
      for (const line of lines) note(arrivals, line);
    }
  }

  let reading: Promise<void> = Promise.resolve();
  const readAll = async (): Promise<readonly Arrival[]> => {
    reading = reading.then(readOn);
    await reading;
    return arrivals;
  };
  return {
    port,
    url: (path, host = '127.0.0.1') => `http://${host}:${port}${path}`,
    async behave(path, behaviour) {
      const done = once(child, 'message');
      child.send({ path, behaviour } satisfies ReceiverMessage);
      await done;
    },
    arrivals: readAll,
    async waitForCount(count) {
      await waitUntil(async () => (await readAll()).length >= count, { what: `${count} arrivals` });
    },
    async close() {
      if (child.connected) child.disconnect();
      await file.close();
    },
  };
}

/** Lines are numbered from 1, in the order in which they came. */
function note(arrivals: Arrival[], line: string): void {
  const [mark, number, at, ...rest] = line.split('\t');
  if (mark === '=') {
    const arrival = arrivals[Number(number) - 1]!;
    arrival.answeredAtMs = Number(at);
    arrival.status = Number(rest[0]);
    return;
  }
  const [path, deliveryId, eventId, run, attempt, hash] = rest;
  arrivals.push({
    atMs: Number(at),
    path: path!,
    deliveryId: deliveryId!,
    eventId: eventId!,
    run: Number(run),
    attempt: Number(attempt),
    hash: hash!,
    answeredAtMs: null,
    status: null,
  });
}
