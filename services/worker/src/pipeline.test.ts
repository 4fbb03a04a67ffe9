import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JournalEntry } from '@posthorn/contracts';
import type { SendResult } from '@posthorn/egress';
import type { ConsumerStats, OutboundRecord } from '@posthorn/kafka';
import { createLogger, createMetrics, createTracing, systemClock } from '@posthorn/runtime';
import type { Lookup } from '@posthorn/tenant-config';
import { createSignalledList } from '@posthorn/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { LANE, makeEndpoint, makeHeaders, makeRecord, makeTenant, makeTiming } from '../test/factories.ts';
import { readServiceConfig } from './config.ts';
import { createWorkerMetrics } from './metrics.ts';
import { createPipeline } from './pipeline.ts';

const NOTHING_CONSUMED: ConsumerStats = {
  generation: null,
  rebalances: 0,
  commits: 0,
  commitFailures: 0,
  lastHeartbeatAgeMs: null,
  partitions: [],
};
const timing = makeTiming(1);
const answer = (status: number): SendResult => ({
  kind: 'response',
  status,
  headers: {},
  body: Buffer.alloc(0),
  truncated: false,
  timing,
});

/** The pipeline between a receiver and a broker that do as the test says. */
function setup(environment: Record<string, string> = {}) {
  const endpoint = makeEndpoint();
  const tenant = makeTenant([endpoint]);
  const world = {
    status: 200,
    broker: true,
    mayBegin: true,
    mayAct: true,
    answered: Promise.resolve(),
    /** While there is one the configuration is not at hand. */
    lookup: null as Promise<Lookup> | null,
  };
  const asked = createSignalledList<string>();
  const sent = createSignalledList<string>();
  const produced = createSignalledList<OutboundRecord>();
  const refused = createSignalledList<string>();
  const journaled = createSignalledList<JournalEntry>();
  const resumed: number[] = [];
  const toBroker = (): void => {
    if (world.broker) return;
    refused.push('refused');
    throw new Error('no broker');
  };
  const pipeline = createPipeline({
    config: readServiceConfig({ SECRETS_KEY: Buffer.alloc(32).toString('base64'), ...environment }),
    workerId: 'worker',
    clock: systemClock,
    log: createLogger('worker', 'silent'),
    metrics: createWorkerMetrics(createMetrics('worker'), systemClock),
    tracing: createTracing(null, { samplePercent: 0 }),
    configs: {
      peek: () => (world.lookup === null ? tenant : undefined),
      get(tenantId) {
        asked.push(tenantId);
        return world.lookup ?? Promise.reject(new Error('it is at hand'));
      },
    },
    agent: {
      async send({ target }) {
        sent.push(target.origin);
        await world.answered;
        return answer(world.status);
      },
    },
    async produce(record) {
      toBroker();
      produced.push(record);
      return { partition: record.partition, offset: produced.items.length - 1, appendTimeMs: null };
    },
    produceHeld: () => Promise.reject(new Error('no lane was handed over')),
    async journal(entry) {
      toBroker();
      journaled.push(entry);
    },
    mayBegin: () => world.mayBegin,
    mayAct: () => world.mayAct,
    reader: {
      resume: (_topic, lane) => void resumed.push(lane),
      park: () => {},
      reread: () => null,
      mayBegin: () => world.mayBegin,
      stats: () => NOTHING_CONSUMED,
    },
  });
  pipeline.starter.start();
  onTestFinished(() => {
    pipeline.abandon();
    pipeline.starter.stop();
  });
  const handler = pipeline.intake.assigned('deliveries', LANE, {
    start: 0,
    end: 0,
    isFinished: () => false,
    heldEnd: 0,
  });
  const offer = () => {
    const completions = createSignalledList<number>();
    const record = makeRecord(makeHeaders({ slots: [endpoint.endpointId] }));
    record.complete = (slot = 0) => completions.push(slot);
    return { accepted: handler.offer(record), completions, record };
  };
  return { pipeline, world, tenant, handler, sent, asked, produced, refused, journaled, resumed, offer };
}

const completed = ({ completions }: ReturnType<ReturnType<typeof setup>['offer']>) =>
  completions.waitFor(() => completions.items.length > 0, { what: 'the slot to complete' });

test('a record goes from intake to completion', async () => {
  const { sent, journaled, offer } = setup();
  await completed(offer());
  expect(sent.items).toEqual(['https://receiver.example']);
  expect(journaled.items).toMatchObject([{ state: 'success' }]);
});

test('while Kafka does not acknowledge nothing new starts, and then everything goes on, nothing twice', async () => {
  const { pipeline, world, sent, produced, refused, journaled, offer } = setup();
  world.broker = false;
  world.status = 500;
  const first = offer();
  await refused.waitFor(() => refused.items.length >= 1, { what: 'a refusal' });
  const second = offer();
  await refused.waitFor(() => refused.items.length >= 2, { what: 'another try' });
  expect(pipeline.scheduler.paused).toBe(true);
  expect(pipeline.acknowledger.stalled).toBe(1);
  expect(sent.items).toHaveLength(1);
  world.broker = true;
  await Promise.all([completed(first), completed(second)]);
  expect(sent.items).toHaveLength(2);
  expect(produced.items).toHaveLength(2);
  expect(journaled.items).toMatchObject([{ state: 'processing' }, { state: 'processing' }]);
  expect(pipeline.scheduler.paused).toBe(false);
});

test('outside the fence nothing starts', async () => {
  const { world, pipeline, sent, offer } = setup();
  world.mayBegin = false;
  const record = offer();
  expect(await pipeline.starter.whenIdle(0)).toBe(true);
  expect(sent.items).toEqual([]);
  world.mayBegin = true;
  await completed(record);
});

test('a retry that was decided outside the fence is not written once the lane is lost', async () => {
  const { world, sent, produced, journaled, offer } = setup();
  const answered = Promise.withResolvers<void>();
  Object.assign(world, { status: 500, answered: answered.promise });
  const { record, completions } = offer();
  await sent.waitFor(() => sent.items.length > 0, { what: 'the request' });
  world.mayAct = false;
  answered.resolve();
  await nextTurn();
  Object.assign(record, { live: false });
  world.mayAct = true;
  await journaled.waitFor(() => journaled.items.length > 0, { what: 'the attempt in the journal' });
  expect(produced.items).toEqual([]);
  expect(completions.items).toEqual([]);
});

test('what was loaded for a lane that was handed over meanwhile is not sent, though its new owner would wait', async () => {
  const { pipeline, world, tenant, handler, sent, asked, offer } = setup();
  const loaded = Promise.withResolvers<Lookup>();
  world.lookup = loaded.promise;
  const { record } = offer();
  await asked.waitFor(() => asked.items.length > 0, { what: 'the configuration to be asked for' });
  Object.assign(record, { live: false, held: true });
  handler.lost();
  loaded.resolve({ kind: 'found', config: tenant });
  expect(await pipeline.starter.whenIdle(1_000)).toBe(true);
  expect(sent.items).toEqual([]);
});

test('a request under way is handed over with its own deadline, whatever was loaded before it or changed since', async () => {
  const { world, tenant, handler, sent, asked, offer } = setup({ ATTEMPT_TIMEOUT_MS: '40000' });
  const loaded = Promise.withResolvers<Lookup>();
  Object.assign(world, { lookup: loaded.promise, answered: new Promise(() => {}) });
  offer();
  await asked.waitFor(() => asked.items.length > 0, { what: 'the configuration to be asked for' });
  const [endpoint] = tenant.endpoints.values();
  const patient = makeTenant([{ ...endpoint!, attemptTimeoutMs: 60_000 }]);
  loaded.resolve({ kind: 'found', config: patient });
  await sent.waitFor(() => sent.items.length > 0, { what: 'the request' });
  expect([...handler.underWay!()][0]!.leftMs).toBeGreaterThan(60_000);
});

test('a drained pipeline has settled what it started and starts nothing more', async () => {
  const { pipeline, sent, offer } = setup();
  const first = offer();
  await completed(first);
  expect(await pipeline.drain(1_000)).toBe(true);
  const late = offer();
  pipeline.starter.wake();
  expect(await pipeline.drain(0)).toBe(true);
  expect(sent.items).toHaveLength(1);
  expect(late.completions.items).toEqual([]);
});

test('giving up leaves what is not acknowledged unfinished', async () => {
  const { pipeline, world, refused, offer } = setup();
  world.broker = false;
  const { completions } = offer();
  await refused.waitFor(() => refused.items.length > 0, { what: 'a refusal' });
  pipeline.abandon();
  expect(await pipeline.drain(1_000)).toBe(true);
  expect(completions.items).toEqual([]);
});

test('a full lane is resumed when half of it is free', async () => {
  const { pipeline, world, resumed, offer } = setup({ MAX_LANE_SLOTS: '64' });
  world.mayBegin = false;
  const accepted = Array.from({ length: 65 }, () => offer());
  expect(accepted.map((each) => each.accepted).lastIndexOf(true)).toBe(63);
  expect(resumed).toEqual([]);
  world.mayBegin = true;
  pipeline.starter.wake();
  await Promise.all(accepted.slice(0, 64).map(completed));
  expect(resumed).toEqual([LANE]);
});
