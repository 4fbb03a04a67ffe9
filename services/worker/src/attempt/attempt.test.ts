import { createHash } from 'node:crypto';
import { deriveDeliveryId, isEventId } from '@posthorn/contracts';
import type { OutboundRequest, SendResult } from '@posthorn/egress';
import { createLogger, createMetrics, createTracing } from '@posthorn/runtime';
import { createFakeClock } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import { makeEndpoint, makeSlot, makeTenant, makeTiming, NOW } from '../../test/factories.ts';
import { createWorkerMetrics } from '../metrics.ts';
import { createBreaker, type Verdict } from '../schedule/breaker.ts';
import type { Conclusion } from '../settle/made.ts';
import { type AttemptSteps, attempt } from './attempt.ts';
import { createAuthorisedSend } from './authorise.ts';
import type { Tokens } from './tokens.ts';

const judged = (verdict: Verdict, steps: AttemptSteps): AttemptSteps => ({
  ...steps,
  breaker: { ...steps.breaker, judge: () => verdict },
});

const timing = makeTiming(12);
const response: SendResult = {
  kind: 'response',
  status: 200,
  headers: {},
  body: Buffer.from('thanks'),
  truncated: false,
  timing,
};

function setup(over: Partial<AttemptSteps> = {}) {
  const clock = createFakeClock(NOW);
  const metrics = createMetrics('worker');
  const conclusions: Conclusion[] = [];
  const circuit: string[] = [];
  const gone: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const log = createLogger('worker', 'info', { write: (line: string) => void lines.push(JSON.parse(line)) });
  const steps: AttemptSteps = {
    load: () => ({ kind: 'ready', tenant: makeTenant([]), endpoint: makeEndpoint() }),
    build: () => ({
      kind: 'request',
      request: { target: { origin: 'http://x' } } as never,
      grant: null,
      secrets: [],
    }),
    send: async () => response,
    breaker: {
      judge: () => ({ kind: 'closed' }),
      observe: (_tenant, _endpoint, admitted, { kind }) => void circuit.push(`${admitted} ${kind}`),
      abandon: () => void circuit.push('abandoned'),
    },
    gone: { add: ({ endpointId }) => void gone.push(endpointId) },
    requestEnded: () => {},
    settle: async (_slot, conclusion) => void conclusions.push(conclusion),
    mayStart: () => true,
    mayAct: () => true,
    clock,
    log,
    metrics: createWorkerMetrics(metrics, clock),
    tracing: createTracing(null, { samplePercent: 0 }),
    ...over,
  };
  return { steps, clock, conclusions, lines, metrics, circuit, gone };
}

test('a slot is loaded, built, sent, classified and settled', async () => {
  const { steps, conclusions, metrics } = setup();
  const { slot } = makeSlot();
  expect(await attempt(steps, slot)).toBe('settled');
  const [conclusion] = conclusions;
  if (conclusion?.kind !== 'attempted') throw new Error('an attempt was made');
  expect(conclusion.made).toMatchObject({
    deliveryId: deriveDeliveryId(slot.work.event.eventId, slot.endpointId, 0),
    outcome: { kind: 'success', status: 200 },
    durationMs: 12,
    body: Buffer.from('thanks'),
    traceparent: slot.work.event.traceparent,
  });
  expect(isEventId(conclusion.made.attemptId)).toBe(true);
  const text = await metrics.registry.metrics();
  expect(text).toContain('posthorn_worker_attempts_total{outcome="success",service="worker"} 1');
  expect(text).toContain('posthorn_worker_first_attempt_latency_seconds_sum{service="worker"} 0.25');
});

test('the caps of a slot are free once its request has ended, before it is settled', async () => {
  const order: string[] = [];
  const { steps } = setup({
    async send() {
      order.push('sent');
      return response;
    },
    requestEnded: () => void order.push('caps freed'),
    settle: async () => void order.push('settled'),
  });
  await attempt(steps, makeSlot().slot);
  expect(order).toEqual(['sent', 'caps freed', 'settled']);
});

test('what has no endpoint to send to is settled without a request', async () => {
  const { steps, conclusions } = setup({
    load: () => ({ kind: 'cancelled', reason: 'endpoint_deleted' }),
    send: () => Promise.reject(new Error('nothing is to be sent')),
  });
  await attempt(steps, makeSlot().slot);
  expect(conclusions).toEqual([{ kind: 'cancelled', reason: 'endpoint_deleted' }]);
});

test('no request starts when the fence closed while the configuration was loaded', async () => {
  let open = true;
  const { steps, conclusions } = setup({
    load: async () => {
      open = false;
      return { kind: 'ready', tenant: makeTenant([]), endpoint: makeEndpoint() };
    },
    mayStart: () => open,
    send: () => Promise.reject(new Error('nothing is to be sent')),
  });
  expect(await attempt(steps, makeSlot().slot)).toBe('put_back');
  expect(conclusions).toEqual([]);
});

test('an endpoint that no request can be made of counts as a failed attempt', async () => {
  const { steps, conclusions } = setup({
    build: () => ({ kind: 'invalid', detail: 'no URL' }),
    send: createAuthorisedSend(
      () => Promise.reject(new Error('nothing is to be sent')),
      {} as Tokens,
      createFakeClock(NOW),
    ),
  });
  await attempt(steps, makeSlot().slot);
  expect(conclusions).toMatchObject([
    { kind: 'attempted', made: { outcome: { failure: 'invalid_endpoint' }, durationMs: 0 } },
  ]);
});

test('what nobody foresaw is logged and puts the slot aside', async () => {
  const { steps, conclusions, lines } = setup({
    build: () => {
      throw new Error('the key does not open it');
    },
  });
  expect(await attempt(steps, makeSlot().slot)).toBe('settled');
  expect(conclusions).toEqual([{ kind: 'aside', reason: 'broken_off', lanes: null }]);
  expect(lines).toMatchObject([{ level: 'error', msg: 'attempt broke off' }]);
});

test('a slot that cannot even be put aside is left unfinished, and said so', async () => {
  const { steps, lines } = setup({ settle: () => Promise.reject(new Error('a bug')) });
  expect(await attempt(steps, makeSlot().slot)).toBe('settled');
  expect(lines.map((line) => line.msg)).toEqual(['attempt broke off', 'slot left unfinished']);
});

test('each attempt has its own id and the same delivery id', async () => {
  const { steps, conclusions } = setup();
  const { slot } = makeSlot();
  await attempt(steps, slot);
  await attempt(steps, slot);
  const made = conclusions.map((each) => (each.kind === 'attempted' ? each.made : null));
  expect(made[0]!.deliveryId).toBe(made[1]!.deliveryId);
  expect(made[0]!.attemptId).not.toBe(made[1]!.attemptId);
});

test('an attempt tells the circuit of its endpoint how it ended', async () => {
  const { steps, circuit } = setup();
  await attempt(steps, makeSlot().slot);
  expect(circuit).toEqual(['closed success']);
});

test('while the circuit is open nothing is sent, and the slot waits within the limits of its endpoint', async () => {
  const endpoint = makeEndpoint({ retryScheduleMs: [5], maxRetryMs: 7_000 });
  const tenant = makeTenant([endpoint], { lanes: [4, 9] });
  const { steps, conclusions, circuit } = setup({
    load: () => ({ kind: 'ready', tenant, endpoint }),
    send: () => Promise.reject(new Error('nothing is to be sent')),
  });
  expect(await attempt(judged({ kind: 'open', probeInMs: 30 }, steps), makeSlot().slot)).toBe('settled');
  expect(conclusions).toEqual([
    { kind: 'circuit_open', probeInMs: 30, scheduleMs: [5], maxRetryMs: 7_000, lanes: [4, 9] },
  ]);
  expect(circuit).toEqual([]);
});

test('a probe that was made is not given back, however it is settled', async () => {
  const { steps, circuit } = setup({ settle: () => Promise.reject(new Error('a bug')) });
  await attempt(judged({ kind: 'probe' }, steps), makeSlot().slot);
  expect(circuit).toEqual(['probe success']);
});

test.each<[string, Partial<AttemptSteps>]>([
  ['was withheld', { send: async () => ({ kind: 'withheld', timing }) }],
  ['broke off', { send: () => Promise.reject(new Error('a bug')) }],
  [
    'could not be built',
    {
      build: () => {
        throw new Error('the key does not open it');
      },
    },
  ],
])('a probe that %s is given back', async (_what, over) => {
  const { steps, circuit } = setup(over);
  await attempt(judged({ kind: 'probe' }, steps), makeSlot().slot);
  expect(circuit).toEqual(['abandoned']);
});

test('a request that was withheld at the socket burns no attempt and is no outcome', async () => {
  const { steps, conclusions, circuit } = setup({ send: async () => ({ kind: 'withheld', timing }) });
  expect(await attempt(steps, makeSlot().slot)).toBe('put_back');
  expect(conclusions).toEqual([]);
  expect(circuit).toEqual([]);
});

test.each([
  ['inside the fence', { live: true, held: false, mayAct: true }, true],
  ['when the fence has closed since', { live: true, held: false, mayAct: false }, false],
  ['of a lane that was handed over in order', { live: false, held: true, mayAct: false }, true],
  ["of a lane that is another worker's", { live: false, held: false, mayAct: true }, false],
])('a request %s may be written: %j is %j', async (_when, { live, held, mayAct }, expected) => {
  const asked: boolean[] = [];
  const { steps } = setup({
    mayAct: () => mayAct,
    build: (_slot, _endpoint, { mayWrite }) => ({
      kind: 'request',
      request: { target: { origin: 'http://x' }, mayWrite } as OutboundRequest,
      grant: null,
      secrets: [],
    }),
    async send(built) {
      if (built.kind === 'request') asked.push(built.request.mayWrite!());
      return response;
    },
  });
  const { slot, record } = makeSlot();
  Object.assign(record, { live, held });
  await attempt(steps, slot);
  expect(asked).toEqual([expected]);
});

test('an endpoint that answers 410 is not sent to any more, and the entry says which URL it was', async () => {
  const { steps, conclusions, gone } = setup({ send: async () => ({ ...response, status: 410 }) });
  const endpoint = makeEndpoint({ url: 'https://receiver.example/hooks' });
  const loaded = { kind: 'ready', tenant: makeTenant([]), endpoint } as const;
  await attempt({ ...steps, load: () => loaded }, makeSlot().slot);
  expect(gone).toEqual([endpoint.endpointId]);
  const urlHash = createHash('sha256').update(endpoint.url).digest('hex').slice(0, 16);
  expect(conclusions).toMatchObject([{ made: { urlHash, outcome: { failure: 'gone' } } }]);
});

test('a probe that is still being settled does not give back the one after it', async () => {
  const breaker = createBreaker({
    failurePercent: 80,
    minAttempts: 1,
    windowMs: 1_000,
    firstProbeMs: 10,
    maxProbeMs: 10,
    maxEndpoints: 10,
  });
  const settling = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<SendResult>();
  const sends = [{ ...response, status: 500 }, { ...response, status: 500 }, answer.promise];
  const { steps, clock, conclusions } = setup({
    breaker,
    send: async () => sends.shift()!,
    settle: async (_slot, conclusion) => {
      conclusions.push(conclusion);
      if (conclusions.length === 2) await settling.promise;
    },
  });
  const { slot } = makeSlot();
  await attempt(steps, slot);
  clock.advance(10);
  const failed = attempt(steps, slot);
  await expect.poll(() => conclusions.length).toBe(2);
  clock.advance(10);
  const probe = attempt(steps, slot);
  settling.resolve();
  await failed;
  await attempt(steps, slot);
  expect(conclusions.map(({ kind }) => kind)).toEqual(['attempted', 'attempted', 'circuit_open']);
  answer.resolve(response);
  await probe;
  expect(breaker.stats().openCircuits).toBe(0);
});
