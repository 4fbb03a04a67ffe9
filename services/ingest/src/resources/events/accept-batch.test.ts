import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ProduceError } from '@posthorn/kafka';
import { beforeEach, describe, expect, it } from 'vitest';
import { ACME_KEY, type Answer, type Bundle, setup } from '../../../test/setup.ts';
import { parseEvent } from '../../accept/parse-event.ts';
import type { Caller } from '../../access/caller.ts';
import { type AppParts, createApp } from '../../http/app.ts';
import { acceptBatch, MAX_BATCH_EVENTS_IN_FLIGHT, MAX_FAULTS_OF_EVENT } from './accept-batch.ts';

let bundle: Bundle;
beforeEach(async () => {
  bundle = await setup();
  bundle.addTenant('acme', { maxEventsPerSec: 10_000 });
  bundle.addEndpoint('acme');
});

const event = (n: number, more: object = {}) => ({ type: 'order.created', payload: { n }, ...more });

async function send(type: string, payload: string, headers: object = {}, key = ACME_KEY): Promise<Answer> {
  const {
    statusCode,
    body,
    headers: answered,
  } = await bundle.app.inject({
    method: 'POST',
    url: '/v1/events/batch',
    headers: { authorization: `Bearer ${key}`, 'content-type': type, ...headers },
    payload,
  });
  return { status: statusCode, headers: answered, text: body, body: JSON.parse(body) };
}
const sendArray = (events: readonly unknown[], key?: string) =>
  send('application/json', JSON.stringify(events), {}, key);
const lines = (events: readonly unknown[]): string => events.map((each) => JSON.stringify(each)).join('\n');
const outcomeOf = ({
  index,
  status,
  problem,
}: {
  index: number;
  status: number;
  problem?: { code: string };
}) => [index, status, problem?.code];
const payloads = (): unknown[] => bundle.sent.map(({ value }) => JSON.parse(value!.toString()).n);

describe('a batch', () => {
  it.each([
    ['a JSON array', 'application/json', JSON.stringify],
    ['lines', 'application/x-ndjson', lines],
    ['lines by another name', 'application/jsonl; charset=utf-8', lines],
    [
      'CloudEvents',
      'application/cloudevents-batch+json',
      (events: readonly { payload: unknown }[]) =>
        JSON.stringify(
          events.map(({ payload }, i) => ({
            specversion: '1.0',
            source: '/s',
            id: `${i}`,
            type: 'order.created',
            data: payload,
          })),
        ),
    ],
  ])('as %s is accepted event by event, with a result for each in its place', async (_name, type, write) => {
    const { status, body } = await send(type, write([event(1), event(2), event(3)] as never));
    expect(status).toBe(202);
    expect(body).toMatchObject({ accepted: 3, refused: 0 });
    expect(body.results).toEqual(
      [0, 1, 2].map((index) => ({
        index,
        status: 202,
        event_id: bundle.sent.find(({ value }) => JSON.parse(value!.toString()).n === index + 1)!.headers
          .ce_id,
        tenant_id: 'acme',
        type: 'order.created',
        webhooks_queued: 1,
      })),
    );
  });

  it('is not sunk by those of its events that are refused', async () => {
    const { status, body } = await sendArray(
      [
        event(1),
        { ...event(2), type: 'No!' },
        7,
        event(4, { tenant_id: 'nobody' }),
        event(5, { payload_text: 'x' }),
        event(6),
      ],
      ACME_KEY,
    );
    expect(status).toBe(207);
    expect(body).toMatchObject({ accepted: 2, refused: 4 });
    expect(body.results.map(outcomeOf)).toEqual([
      [0, 202, undefined],
      [1, 400, 'invalid_request'],
      [2, 400, 'invalid_request'],
      [3, 404, 'tenant_not_found'],
      [4, 400, 'invalid_request'],
      [5, 202, undefined],
    ]);
    expect(body.results[1].problem.errors[0].pointer).toBe('/type');
    expect(payloads()).toEqual([1, 6]);
  });

  it('is refused beyond the quota event by event', async () => {
    bundle.addTenant('acme', { maxEventsPerSec: 2 });
    const { status, body } = await sendArray([event(1), event(2), event(3)]);
    expect([status, body.accepted]).toEqual([207, 2]);
    expect(body.results[2]).toEqual({
      index: 2,
      status: 429,
      problem: expect.objectContaining({
        code: 'event_quota_exceeded',
        limit: 2,
        remaining: 0,
        retry_after: 1,
      }),
    });
  });

  it('whose lines are broken loses those alone', async () => {
    const { body } = await send(
      'application/x-ndjson',
      `${JSON.stringify(event(1))}\n{"type":\n\n${JSON.stringify(event(3))}`,
    );
    expect(body.results.map(({ status }: { status: number }) => status)).toEqual([202, 400, 202]);
    expect(body.results[1].problem.code).toBe('invalid_json');
  });

  it('that goes on too long ends with a result that says so, and with its connection', async () => {
    const { status, headers, body } = await send(
      'application/x-ndjson',
      `${JSON.stringify(event(1))}\n`.repeat(1_001),
    );
    expect([status, body.accepted, headers.connection]).toEqual([207, 1_000, 'close']);
    expect(body.results.at(-1)).toMatchObject({
      index: 1_000,
      status: 413,
      problem: { code: 'batch_too_large' },
    });
  });

  it.each([
    ['application/json', '[]', 'invalid_request'],
    ['application/json', '{"type":"a","payload":1}', 'invalid_request'],
    ['application/json', '', 'invalid_json'],
    ['application/x-ndjson', '\n \n', 'invalid_request'],
    ['application/cloudevents+json', '{}', 'unsupported_media_type'],
    ['text/plain', '[]', 'unsupported_media_type'],
  ])('as %s with the body %j is refused as a whole', async (type, payload, code) => {
    expect((await send(type, payload)).body.code).toBe(code);
    expect(bundle.sent).toEqual([]);
  });

  it('is refused before it is read when it says that it is too large', async () => {
    const headers = { 'content-length': String(6 * 1024 * 1024) };
    for (const type of ['application/json', 'application/x-ndjson']) {
      const { status } = await send(type, '', headers);
      expect(status).toBe(413);
    }
  });

  it('takes no Idempotency-Key, which is of one event', async () => {
    const { body } = await send('application/json', '[1]', { 'idempotency-key': 'x' });
    expect(body.code).toBe('invalid_idempotency_key');
  });

  it('says of each event what Kafka said', async () => {
    bundle.failSend = new ProduceError('outcome_unknown', 'cut');
    const { status, body } = await sendArray([event(1), event(2)]);
    expect([status, body.refused]).toEqual([207, 2]);
    expect(body.results[0]).toMatchObject({
      status: 503,
      problem: { code: 'outcome_unknown', retry_after: 1 },
    });
  });

  it('loses one event to a bug of ours, which is logged', async () => {
    bundle.failSend = new TypeError('bug');
    const { body } = await sendArray([event(1)]);
    expect(body.results[0]).toMatchObject({ status: 500, problem: { code: 'internal' } });
    expect(bundle.logged).toContainEqual(
      expect.objectContaining({ level: 'error', msg: 'event of a batch failed' }),
    );
    expect(JSON.stringify(body)).not.toContain('bug');
  });
});

/** Kafka that acknowledges nothing until it is told to. */
function createGate() {
  const waiting: (() => void)[] = [];
  let seen: (count: number) => void = () => undefined;
  return {
    waiting,
    send: () =>
      new Promise<never>((resolve) => {
        waiting.push(() => resolve({} as never));
        seen(waiting.length);
      }),
    /** Resolves when so many wait. */
    full: (count: number) =>
      new Promise<void>((resolve) => {
        seen = (found) => found >= count && resolve();
        seen(waiting.length);
      }),
    open(): void {
      for (const acknowledge of waiting.splice(0)) acknowledge();
    },
  };
}

describe('what a batch holds at once', () => {
  it('is bounded: no further event is read while so many wait for Kafka', async () => {
    const EVENTS = 300;
    let read = 0;
    async function* items(): AsyncGenerator<Buffer> {
      for (; read < EVENTS; read++) yield Buffer.from(JSON.stringify(event(read)));
    }
    const gate = createGate();
    const parts = { ...bundle.parts, send: gate.send } as AppParts;
    const caller = (await parts.keys.authenticate(`Bearer ${ACME_KEY}`)) as Caller;
    const accepting = acceptBatch(
      parts,
      { caller, headers: {}, items: items(), read: parseEvent },
      () => undefined,
    );
    for (let done = 0; done < EVENTS; done += MAX_BATCH_EVENTS_IN_FLIGHT) {
      await gate.full(Math.min(MAX_BATCH_EVENTS_IN_FLIGHT, EVENTS - done));
      for (let turn = 0; turn < 20; turn++) await nextTurn();
      expect(read).toBeLessThanOrEqual(done + MAX_BATCH_EVENTS_IN_FLIGHT + 1);
      gate.open();
    }
    expect(await accepting).toHaveLength(EVENTS);
  });

  it('is bounded on the connection too: a sender faster than Kafka is held up', async () => {
    const line = `${JSON.stringify({ ...event(0), labels: { pad: 'x'.repeat(100) }, payload: 'y'.repeat(4_800) })}\n`;
    const gate = createGate();
    const app = createApp({ ...bundle.parts, send: gate.send } as AppParts);
    const sockets: Socket[] = [];
    app.server.on('connection', (socket) => sockets.push(socket));
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { promise: answered, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const sender = request(
      {
        port: (app.server.address() as AddressInfo).port,
        path: '/v1/events/batch',
        method: 'POST',
        headers: { authorization: `Bearer ${ACME_KEY}`, 'content-type': 'application/x-ndjson' },
      },
      resolve,
    );
    sender.on('error', reject);
    sender.end(line.repeat(1_000));
    await gate.full(MAX_BATCH_EVENTS_IN_FLIGHT);
    for (let turn = 0; turn < 200; turn++) await nextTurn();
    const HELD = (MAX_BATCH_EVENTS_IN_FLIGHT + 1) * line.length + READ_AHEAD_BYTES;
    expect(sockets[0]!.bytesRead).toBeLessThan(HELD);
    const opening = setInterval(() => gate.open(), 1);
    const answer = await answered;
    clearInterval(opening);
    expect(answer.statusCode).toBe(202);
    answer.resume();
    await app.close();
  });
});

/** What Node reads from a socket and keeps before anybody asks for it. */
const READ_AHEAD_BYTES = 512 * 1024;

describe('the answer to a batch', () => {
  it('is no larger than the batch by much, however many faults its events have', async () => {
    const unknown = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${i}`, 0]));
    const { status, text, body } = await sendArray(Array.from({ length: 100 }, () => unknown));
    expect([status, body.refused]).toEqual([207, 100]);
    expect(body.results[99].problem.errors).toHaveLength(MAX_FAULTS_OF_EVENT);
    expect(text.length).toBeLessThan(100_000);
  });
});
