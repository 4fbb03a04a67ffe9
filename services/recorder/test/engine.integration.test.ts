import { createHash } from 'node:crypto';
import { mintEndpointId, OPERATOR_TENANT_ID, topicNames } from '@posthorn/contracts';
import {
  changeEndpointState,
  createEndpoint,
  createTenant,
  findEndpoint,
  findTenant,
  loadTenants,
  type PoolSql,
  setLanes,
  updateEndpoint,
} from '@posthorn/db';
import type { OutboundRecord } from '@posthorn/kafka';
import { createMetrics } from '@posthorn/runtime';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Item, readRecord } from '../src/consume/read-record.ts';
import { createStore } from '../src/create-store.ts';
import { createRecorderMetrics } from '../src/metrics.ts';
import { publishAnnouncements } from '../src/publish-announcements.ts';
import { HEALTH_REFRESH_MS } from '../src/watch-health.ts';
import {
  attempted,
  deadLetter,
  deadLettered,
  drained,
  NOW_MS,
  newSubject,
  purged,
  removed,
  replayed,
  type Subject,
  TENANT,
} from './entries.ts';
import { type Databases, openDatabases } from './open-databases.ts';

const HOUR_MS = 3_600_000;
const URL_HERE = 'https://example.com/hook';
const hashOf = (url: string): string => createHash('sha256').update(url).digest('hex').slice(0, 16);

/** What one test must not find of another. */
const KEPT_BETWEEN = [
  'dead_letters',
  'deliveries',
  'dead_letter_counts',
  'dead_letter_removals',
  'operational_events',
  'purges',
  'endpoint_health',
  'endpoints',
];

let databases: Databases;
let sql: PoolSql;
let write: (...items: Item[]) => Promise<void>;
let subject: Subject;
/** What the recorder had put into the audit log when the test began: it is only added to. */
let auditedBefore: number;
const clock = { monotonic: 0, nowMs: () => NOW_MS, monotonicMs: () => clock.monotonic };

beforeAll(async () => {
  databases = await openDatabases();
  sql = databases.owner.sql;
  const quotas = { maxDlqSize: 10 };
  await createTenant(sql, { tenantId: TENANT, name: '', lanes: [1], quotas });
});
afterAll(() => databases.close());

beforeEach(async () => {
  for (const table of KEPT_BETWEEN) await sql`delete from ${sql(table)}`;
  subject = await subscribe(TENANT);
  auditedBefore = (await sql`select from audit_log where actor = 'recorder'`).count;
  const readings = { bufferedRecords: () => 0, bufferedBytes: () => 0, lag: () => ({}) as never };
  const store = createStore({
    database: databases.database,
    clock,
    metrics: createRecorderMetrics(createMetrics('recorder'), readings),
    log: { info() {} } as never,
    failingForMs: 5 * HOUR_MS,
    onAnnounced: () => {},
  });
  write = (...items) => store.write(items);
});

async function subscribe(tenantId: string): Promise<Subject> {
  const endpointId = mintEndpointId(NOW_MS);
  await createEndpoint(sql, tenantId, {
    endpointId,
    url: URL_HERE,
    description: '',
    eventTypes: ['*'],
    labels: {},
    sealedSecrets: [],
    retryScheduleMs: null,
    attemptTimeoutMs: null,
  });
  return { ...newSubject(), endpointId };
}

const endpointNow = async () => (await findEndpoint(sql, TENANT, subject.endpointId))!;
const kept = () => sql<{ type: string; payload: Record<string, unknown>; eventId: string }[]>`
  select event_id, type, payload from operational_events order by created_at, dedupe_key`;
const typesKept = async () => (await kept()).map((row) => row.type);
const audited = () => sql`
  select action, actor, subject, detail from audit_log
  where actor = 'recorder' order by audit_id offset ${auditedBefore}`;

describe('an endpoint that answers 410', () => {
  const gone = (url = URL_HERE) =>
    attempted(subject, 'failed', {}, { failure: 'gone', status: 410, urlHash: hashOf(url) });

  test('is disabled with an audit row in one change, however often it says so', async () => {
    const { revision } = (await findTenant(sql, TENANT))!;
    await write(gone(), gone());
    await write(gone());
    expect(await endpointNow()).toMatchObject({ state: 'disabled', stateReason: 'gone' });
    expect((await findTenant(sql, TENANT))!.revision).toBe(revision + 1);
    expect(await audited()).toMatchObject([
      {
        action: 'endpoint.disabled',
        actor: 'recorder',
        subject: subject.endpointId,
        detail: { reason: 'gone' },
      },
    ]);
  });

  test('is left alone when its URL is another by now', async () => {
    await updateEndpoint(sql, TENANT, subject.endpointId, { url: 'https://example.com/new' });
    const { revision } = (await findTenant(sql, TENANT))!;
    await write(gone());
    expect(await endpointNow()).toMatchObject({ state: 'active' });
    expect((await findTenant(sql, TENANT))!.revision).toBe(revision);
  });
});

describe('an endpoint that answers nothing but failures', () => {
  const fail = async (hour: number) => {
    clock.monotonic += HEALTH_REFRESH_MS;
    await write(attempted(subject, 'processing', {}, { atMs: NOW_MS + hour * HOUR_MS, failure: 'timeout' }));
  };

  test('is disabled once that has gone on for too long', async () => {
    await fail(0);
    await fail(4);
    expect(await endpointNow()).toMatchObject({ state: 'active' });
    await fail(5);
    expect(await endpointNow()).toMatchObject({ state: 'disabled', stateReason: 'auto_disabled' });
    expect(await audited()).toMatchObject([{ detail: { reason: 'auto_disabled' } }]);
  });

  test('is not when a success lies between, or a person has set it going again', async () => {
    await fail(0);
    await write(attempted(subject, 'success', {}, { atMs: NOW_MS + HOUR_MS }));
    await fail(6);
    expect(await endpointNow()).toMatchObject({ state: 'active' });
    const to = (state: 'active' | 'disabled') =>
      changeEndpointState(sql, TENANT, subject.endpointId, { state, reason: null });
    await to('disabled');
    await to('active');
    await fail(12);
    expect(await endpointNow()).toMatchObject({ state: 'active' });
  });
});

test('a lane that has drained is closed, when it was left by the change that is said', async () => {
  const changed = await setLanes(sql, TENANT, [2]);
  const revision = (changed as { change: number }).change;
  await write(drained({ lane: 1, revision: revision - 1 }));
  expect((await findTenant(sql, TENANT))!.drainingLanes).toEqual([1]);
  await write(drained({ lane: 1, revision }), drained({ lane: 1, revision }));
  expect(await loadTenants(sql, [TENANT])).toMatchObject([{ lanes: [2], drainingLanes: [] }]);
  expect(await audited()).toMatchObject([{ action: 'lane.closed', detail: { lane: 1 } }]);
  await sql`update tenants set lanes = '{1}' where tenant_id = ${TENANT}`;
});

describe('a dead letter that is taken out', () => {
  const index = () => sql`select round from dead_letters where tenant_id = ${TENANT}`;
  const counted = async () => {
    const [row] = await sql<{ count: number }[]>`select count from dead_letter_counts`;
    return row?.count ?? 0;
  };

  test('leaves the index and its count, and its delivery stays failed', async () => {
    await write(deadLetter(subject));
    expect([await index(), await counted()]).toMatchObject([[{ round: 0 }], 1]);
    await write(removed(subject));
    expect([await index(), await counted()]).toEqual([[], 0]);
    expect(await sql`select state from deliveries`).toMatchObject([{ state: 'failed' }]);
  });

  test('does not come back by a record that is read late, or again; the next failure does', async () => {
    await write(deadLettered(subject, { attempt: 7 }));
    await write(removed(subject));
    await write(deadLetter(subject));
    expect([await index(), await counted()]).toEqual([[], 0]);
    await write(replayed(subject), deadLetter(subject, { round: 1 }));
    await write(removed(subject));
    expect([await index(), await counted()]).toMatchObject([[{ round: 1 }], 1]);
  });

  test('is counted once, whatever is read again', async () => {
    const second = { ...newSubject(), endpointId: subject.endpointId };
    for (let i = 0; i < 2; i++) await write(deadLetter(subject), deadLetter(second), deadLetter(subject));
    expect(await counted()).toBe(2);
    await write(replayed(subject));
    await write(replayed(subject), deadLetter(subject));
    expect(await counted()).toBe(1);
    await write(deadLetter(subject, { round: 1 }));
    expect(await counted()).toBe(2);
  });
});

test('a cancellation is kept once to mark its rows', async () => {
  await write(purged({ revision: 7 }), purged({ revision: 7 }));
  await write(purged({ revision: 7 }));
  expect(await sql`select tenant_id, revision, done_at from purges`).toEqual([
    { tenantId: TENANT, revision: 7, doneAt: null },
  ]);
});

describe('the operator', () => {
  const letters = (count: number) =>
    Array.from({ length: count }, () => deadLetter({ ...newSubject(), endpointId: subject.endpointId }));

  test('is told nothing while no endpoint of his is there to hear it', async () => {
    await write(...letters(9));
    expect(await typesKept()).toEqual([]);
  });

  test('is told of dead letters, of quotas as they fill up, and of endpoints that were disabled', async () => {
    await subscribe(OPERATOR_TENANT_ID);
    const first = letters(4);
    await write(...first);
    await write(...first);
    expect(await typesKept()).toEqual(Array(4).fill('posthorn.dead_letter.created'));
    await sql`delete from operational_events`;
    await write(...letters(4));
    const warnings = (await kept()).filter((row) => row.type === 'posthorn.quota.warning');
    expect(warnings.map((row) => row.payload)).toEqual([
      { tenant_id: TENANT, quota: 'max_dlq_size', percent: 50, limit: 10, count: 8 },
      { tenant_id: TENANT, quota: 'max_dlq_size', percent: 80, limit: 10, count: 8 },
    ]);
    await sql`delete from operational_events`;
    const failure = { failure: 'gone', status: 410, urlHash: hashOf(URL_HERE) } as const;
    await write(attempted(subject, 'failed', {}, failure));
    expect(await kept()).toMatchObject([
      {
        type: 'posthorn.endpoint.disabled',
        payload: { tenant_id: TENANT, webhook_id: subject.endpointId, reason: 'gone' },
      },
    ]);
  });

  test('is told nothing about his own tenant, and nothing there counts', async () => {
    const own = await subscribe(OPERATOR_TENANT_ID);
    const letter = deadLetter(own);
    await write({ ...letter, event: { ...letter.event, tenantId: OPERATOR_TENANT_ID } });
    const failure = { failure: 'gone', status: 410, urlHash: hashOf(URL_HERE) } as const;
    await write({ ...attempted(own, 'failed', {}, failure), tenantId: OPERATOR_TENANT_ID });
    expect(await findEndpoint(sql, OPERATOR_TENANT_ID, own.endpointId)).toMatchObject({ state: 'disabled' });
    expect(await typesKept()).toEqual([]);
    expect(await sql`select 1 from dead_letter_counts`).toHaveLength(0);
  });

  test('is told by events of his tenant, each with the same id until it has been published', async () => {
    await subscribe(OPERATOR_TENANT_ID);
    await write(...letters(2));
    const sent: OutboundRecord[][] = [];
    const publish = (fail: boolean) =>
      publishAnnouncements({
        sql,
        topics: topicNames('t.'),
        eventPartitions: 8,
        producer: {
          async sendAll(records) {
            sent.push([...records]);
            if (fail) throw new Error('no leader');
            return [];
          },
        },
      });
    await expect(publish(true)).rejects.toThrow('no leader');
    expect(await publish(false)).toBe(2);
    expect(await publish(false)).toBe(0);
    expect(sent[1]).toEqual(sent[0]);
    const [record] = sent[0]!;
    expect(record).toMatchObject({ topic: 't.events', key: OPERATOR_TENANT_ID });
    const source = { ...record!, offset: 0, value: record!.value! };
    expect(readRecord('events', source).items).toMatchObject([
      {
        kind: 'event',
        event: {
          tenantId: OPERATOR_TENANT_ID,
          type: 'posthorn.dead_letter.created',
          revision: (await findTenant(sql, OPERATOR_TENANT_ID))!.revision,
        },
      },
    ]);
  });
});
