import { decodeEvent, deriveEventId, type Headers, tenantPartition } from '@posthorn/contracts';
import type { CatalogueEntry, Lookup, TenantConfig } from '@posthorn/tenant-config';
import { describe, expect, test, vi } from 'vitest';
import {
  type FakeRecord,
  fakeLog,
  fakeProducer,
  fakeRecord,
  fakeSetAside,
  noTracing,
  tenantConfig,
} from '../../test/fakes.ts';
import { createInFlight } from '../in-flight.ts';
import { createRareWarning } from '../rare-warning.ts';
import { createSend } from '../send.ts';
import { createInboundRate } from './inbound-rate.ts';
import { createInbound, type InboundOptions } from './take-inbound.ts';

const EVENT_PARTITIONS = 8;
const HEADERS: Headers = {
  ce_specversion: '1.0',
  ce_id: '17',
  ce_source: '/shop',
  ce_type: 'order.created',
  ce_tenant: 'acme',
};
const QUOTAS = {
  maxEventsPerSec: 2,
  maxDlqSize: 10,
  dlqPolicy: 'refuse',
} as unknown as TenantConfig['quotas'];

function setup(given: Partial<TenantConfig> = {}, options: Partial<InboundOptions> = {}) {
  const producer = fakeProducer();
  const { log, lines } = fakeLog();
  const { setAside, reasons, rows } = fakeSetAside('inbound', log);
  const inFlight = createInFlight({ maxRecords: 10, maxBytes: 1e6, resume: () => undefined });
  let accepted = 0;
  const known: Record<string, Lookup> = {
    acme: { kind: 'found', config: tenantConfig(1, { quotas: QUOTAS, ...given }) },
  };
  const handler = createInbound({
    findConfig: ({ tenantId }) => known[tenantId] ?? { kind: 'unknown_tenant' },
    inFlight,
    send: createSend({ producer, mayAct: () => true, log, onRetry: () => undefined }),
    setAside,
    rate: createInboundRate({ maxTenants: 10 }),
    catalogue: { find: () => undefined, loaded: true },
    countDeadLetters: () => 0,
    tracing: noTracing,
    warnWaiting: createRareWarning(log, 'event waits'),
    eventsTopic: 'events',
    eventPartitions: EVENT_PARTITIONS,
    observe: () => {
      accepted += 1;
    },
    ...options,
  });
  let offset = 0;
  async function take(headers: Headers = HEADERS, timestampMs = 1_700_000_000_000): Promise<FakeRecord> {
    const record = fakeRecord({ topic: 'inbound', offset: offset++, timestampMs, headers });
    expect(handler.offer(record)).toBe(true);
    await inFlight.idle();
    return record;
  }
  /** Taken by another owner as soon as this one has begun with it. */
  async function takeAndLose(): Promise<FakeRecord> {
    const record = fakeRecord({ topic: 'inbound', headers: HEADERS });
    handler.offer(record);
    record.live = false;
    await inFlight.idle();
    return record;
  }
  return { take, takeAndLose, producer, reasons, rows, lines, known, accepted: () => accepted };
}

test('a record becomes an event of its tenant, stamped as ingest stamps one', async () => {
  const bundle = setup({ revision: 12, retentionDays: 7 });
  const record = await bundle.take();
  const [out, ...more] = bundle.producer.sent;
  expect(more).toEqual([]);
  expect(out).toMatchObject({
    topic: 'events',
    partition: tenantPartition('acme', EVENT_PARTITIONS),
    key: 'acme',
  });
  expect(out!.value).toBe(record.value);
  const event = decodeEvent(out!.headers);
  expect(event).toMatchObject({
    eventId: deriveEventId(record.timestampMs, record),
    tenantId: 'acme',
    revision: 12,
    retentionDays: 7,
    clientEventId: '/shop 17',
  });
  expect(event).not.toHaveProperty('systemRevision');
  expect([record.completed, bundle.accepted()]).toEqual([true, 1]);
});

test('it is stamped for system endpoints while there are any', async () => {
  const bundle = setup();
  const operator = tenantConfig(1, { tenantId: 'posthorn', revision: 40 });
  const [own] = [...operator.endpoints.values()];
  const endpoints = new Map([[own!.endpointId, { ...own!, scope: 'all_tenants' as const }]]);
  bundle.known.posthorn = { kind: 'found', config: { ...operator, endpoints } };
  await bundle.take();
  expect(decodeEvent(bundle.producer.sent[0]!.headers).systemRevision).toBe(40);
});

test('a record that is read again makes the same event', async () => {
  const bundle = setup();
  await bundle.take();
  const again = setup();
  await again.take();
  expect(again.producer.sent[0]!.headers.ce_id).toBe(bundle.producer.sent[0]!.headers.ce_id);
});

describe('what ingest would have refused is set aside, and the partition advances', () => {
  const refused = async (bundle: ReturnType<typeof setup>, headers = HEADERS) => {
    const record = await bundle.take(headers);
    expect(record.completed).toBe(true);
    expect(bundle.producer.sent).toEqual([]);
    return bundle.rows[0]!.reason;
  };

  test('of an unknown tenant', async () => {
    expect(await refused(setup(), { ...HEADERS, ce_tenant: 'nobody' })).toBe('unknown_tenant');
  });

  test("of the operator's own tenant", async () => {
    expect(await refused(setup(), { ...HEADERS, ce_tenant: 'posthorn' })).toBe('tenant_reserved');
  });

  test('of a tenant that is disabled, or deleted', async () => {
    expect(await refused(setup({ state: 'disabled' }))).toBe('tenant_disabled');
    expect(await refused(setup({ state: 'deleted' }))).toBe('unknown_tenant');
  });

  test('that is malformed', async () => {
    expect(await refused(setup(), { ...HEADERS, ce_type: '' })).toBe('malformed: header ce_type is ""');
  });

  test('of a type that its tenant refuses, because the catalogue does not know it or has archived it', async () => {
    const entry = (state: CatalogueEntry['state']) => ({
      find: () => ({ state }) as CatalogueEntry,
      loaded: true,
    });
    const strict = { unknownEventTypes: 'reject' as const };
    expect(await refused(setup(strict))).toBe('unknown_type');
    expect(await refused(setup(strict, { catalogue: entry('archived') }))).toBe('unknown_type');
    for (const bundle of [
      setup(strict, { catalogue: entry('active') }),
      setup({ unknownEventTypes: 'warn' }),
    ]) {
      await bundle.take();
      expect(bundle.accepted()).toBe(1);
    }
  });

  test('of a tenant that has filled its quota of dead letters and is refused for it', async () => {
    const full = { countDeadLetters: () => 10 };
    expect(await refused(setup({}, full))).toBe('over_quota: 10 dead letters, max_dlq_size is 10');
    const warned = setup({ quotas: { ...QUOTAS, dlqPolicy: 'warn' } }, full);
    await warned.take();
    expect(warned.accepted()).toBe(1);
  });

  test('of a tenant that sent faster than it may, by the times of the broker', async () => {
    const bundle = setup();
    for (const atMs of [0, 500, 900, 1_000]) await bundle.take(HEADERS, 1_700_000_000_000 + atMs);
    expect(bundle.rows.map(({ offset, reason }) => [offset, reason])).toEqual([
      [2, 'over_quota: more than 2 events in a second (max_events_per_sec)'],
    ]);
    expect(bundle.accepted()).toBe(3);
  });
});

test('an event whose tenant cannot be known waits for it, or is left to its next owner', async () => {
  vi.useFakeTimers();
  try {
    const bundle = setup();
    const { acme } = bundle.known;
    bundle.known.acme = { kind: 'unavailable', reason: 'postgres is away' };
    const taken = bundle.take();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(bundle.producer.sent).toEqual([]);
    expect(bundle.lines).toMatchObject([{ level: 'warn', fields: { tenant_id: 'acme' } }]);
    bundle.known.acme = acme!;
    await vi.advanceTimersByTimeAsync(5_000);
    expect((await taken).completed).toBe(true);
    expect(bundle.accepted()).toBe(1);
    bundle.known.acme = { kind: 'unavailable', reason: 'postgres is away' };
    const lost = bundle.takeAndLose();
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await lost).completed).toBe(false);
    expect(bundle.reasons).toEqual([]);
  } finally {
    vi.useRealTimers();
  }
});

test('a type is not called unknown before the catalogue has been read', async () => {
  vi.useFakeTimers();
  try {
    const catalogue = { find: () => undefined as CatalogueEntry | undefined, loaded: false };
    const bundle = setup({ unknownEventTypes: 'reject' }, { catalogue });
    const taken = bundle.take();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(bundle.reasons).toEqual([]);
    Object.assign(catalogue, { find: () => ({ state: 'active' }) as CatalogueEntry, loaded: true });
    await vi.advanceTimersByTimeAsync(5_000);
    await taken;
    expect(bundle.accepted()).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});
