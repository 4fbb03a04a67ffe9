// Longer than other files: two replicas, Kafka and Postgres are started once for all that is asked of them together.
import { hash, randomUUID } from 'node:crypto';
import {
  acceptedAtMs,
  decodeEvent,
  deriveDeliveryId,
  isEventId,
  mintEventId,
  standingOrder,
  tenantPartition,
} from '@posthorn/contracts';
import {
  type Database,
  insertClaim,
  moveDeadLetterCounts,
  type Quotas,
  recordDeadLetters,
  recordDeliveries,
  recordEvents,
  recordOffsets,
  revokeApiKey,
} from '@posthorn/db';
import { connectKafka, createProducer, type TrackedRecord } from '@posthorn/kafka';
import { systemClock } from '@posthorn/runtime';
import { waitUntil } from '@posthorn/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptEvent } from '../src/accept/accept-event.ts';
import { parseEvent } from '../src/accept/parse-event.ts';
import type { PostedEvent } from '../src/accept/posted-event.ts';
import { createRateWindow } from '../src/accept/rate-window.ts';
import { withIncluded } from '../src/access/caller.ts';
import { isProblem } from '../src/http/problem.ts';
import type { Ingest } from '../src/service.ts';
import { OPERATOR_KEY } from './setup.ts';
import {
  type Answer,
  call,
  EVENT_PARTITIONS,
  log,
  names,
  type Replicas,
  startReplicas,
  tracing,
} from './start-replicas.ts';

/** More changes than the service has connections for them. */
const CHANGES = 15;
const ANY = { nowMs: 0, tenantId: null };

let replicas: Replicas;
let database: Database;
let first: Ingest;
let second: Ingest;

beforeAll(async () => {
  replicas = await startReplicas();
  ({ database, first, second } = replicas);
});

afterAll(() => replicas?.close());

const createTenant: Replicas['createTenant'] = (quotas) => replicas.createTenant(quotas);
const recordOf = (eventId: string): Promise<TrackedRecord> =>
  replicas.recordWhere(({ headers }) => headers.ce_id === eventId, `the record of ${eventId}`);

describe('an accepted event', () => {
  it('is in its tenant’s partition with its own bytes and all that the next hop needs', async () => {
    const { tenantId, key } = await createTenant();
    const payload = '{ "z" : 1.0, "a":123456789012345678901234567890, "a": "\\u00fc ü \\ud83d" }';
    const body = `{"payload":{"not":"this"},"tenant_id":"${tenantId}","labels":{"b":"2","a":"ü"},"type":"order.created", "pay\\u006coad": ${payload} }`;
    const { status, body: accepted } = await call(first, 'POST', '/v1/events', body, key);
    expect(status).toBe(202);
    const record = await recordOf(accepted.event_id);
    expect(record.value.toString()).toBe(payload);
    expect(record).toMatchObject({
      topic: names.events,
      key: tenantId,
      partition: tenantPartition(tenantId, EVENT_PARTITIONS),
    });
    expect(decodeEvent(record.headers)).toMatchObject({
      eventId: accepted.event_id,
      tenantId,
      type: 'order.created',
      labels: { a: 'ü', b: '2' },
      retentionDays: 30,
      contentType: 'application/json',
    });
  });

  it('matches a webhook that another replica made a moment before', async () => {
    const { tenantId, key } = await createTenant();
    for (let n = 1; n <= 2; n++) {
      const url = `http://127.0.0.1:8080/hook-${n}`;
      const webhook = await call(second, 'POST', '/webhooks', { tenant_id: tenantId, url }, key);
      expect(webhook.status).toBe(201);
      const event = { tenant_id: tenantId, type: 'order.created', payload: n };
      const { body } = await call(first, 'POST', '/events', event, key);
      expect(body.webhooks_queued).toBe(n);
      expect(body.delivery_ids).toContain(deriveDeliveryId(body.event_id, webhook.body.webhook_id, 0));
    }
  });

  it('is on the topic although the service stopped while it came in', async () => {
    const third = await replicas.start();
    const { tenantId, key } = await createTenant({ maxEventsPerSec: 1_000 });
    const event = { tenant_id: tenantId, type: 'order.created', payload: 'x'.repeat(1_000) };
    const posts = Array.from({ length: 60 }, () =>
      call(third, 'POST', '/events', event, key).catch(() => null),
    );
    await Promise.race(posts);
    await third.lifecycle.stop('test');
    const answers = (await Promise.all(posts)).filter((answer) => answer !== null);
    const accepted = answers.filter(({ status }) => status === 202);
    expect(accepted.length).toBeGreaterThan(0);
    expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
    for (const { body } of accepted) await recordOf(body.event_id);
  });
});

describe('an event that 100 requests carry to two replicas at once', () => {
  it('is one, and all are told the same', async () => {
    const { tenantId, key } = await createTenant({ maxEventsPerSec: 10 });
    const event = { tenant_id: tenantId, type: 'order.created', payload: 1, event_id: 'order 42' };
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        call(i % 2 === 0 ? first : second, 'POST', '/v1/events', event, key),
      ),
    );
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]!.status).toBe(202);
    const other = { ...event, payload: 2, event_id: 'order 43' };
    const next = await call(second, 'POST', '/v1/events', other, key);
    await recordOf(next.body.event_id);
    const records = replicas.records.filter(({ headers }) => headers.ce_tenant === tenantId);
    expect(records.map(({ headers }) => headers.ce_clientid)).toEqual(['order 42', 'order 43']);
  });
});

describe('an event whose sender’s request died before it was produced', () => {
  it('is made by the next one, under the id that it was to have', async () => {
    const { tenantId, key } = await createTenant();
    const body = JSON.stringify({
      tenant_id: tenantId,
      type: 'order.created',
      payload: 1,
      event_id: 'order 42',
    });
    const eventId = mintEventId(Date.now());
    const partition = tenantPartition(tenantId, EVENT_PARTITIONS);
    await insertClaim(database.sql, {
      tenantId,
      eventId,
      idempotencyKey: null,
      clientEventId: 'order 42',
      bodyHash: hash('sha256', body, 'buffer'),
      partition,
      leaseId: randomUUID(),
      leaseMs: 0,
    });
    // As a recorder would say that has read all there is.
    const reached = { topic: names.events, partition, nextOffset: 1_000_000 };
    await recordOffsets(database.sql, new Map([['all', reached]]));
    const { status, body: accepted } = await call(first, 'POST', '/v1/events', body, key);
    expect([status, accepted.event_id]).toEqual([202, eventId]);
    await recordOf(eventId);
  });
});

describe('configuration', () => {
  it('of a tenant made on one replica is known to the other when the answer is there', async () => {
    const { status, body } = await call(first, 'POST', '/v1/tenants', { tenant_id: 'made-by-api' });
    expect(status).toBe(201);
    const event = { tenant_id: 'made-by-api', type: 'a', payload: 1 };
    expect((await call(second, 'POST', '/events', event, body.api_key)).status).toBe(202);
  });

  it('made by SQL behind the API becomes effective', async () => {
    const { tenantId, key } = await createTenant();
    await database.sql`update quotas set max_events_per_sec = 1 where tenant_id = ${tenantId}`;
    const { body } = await waitUntil(
      async () => {
        const quotas = await call(first, 'GET', `/quotas/${tenantId}`, undefined, key);
        return quotas.body.limits.max_events_per_sec === 1 && quotas;
      },
      { what: 'the quota to be effective' },
    );
    expect(body.remaining.events).toBe(1);
    const event = { tenant_id: tenantId, type: 'a', payload: 1 };
    expect((await call(first, 'POST', '/events', event, key)).status).toBe(202);
    expect((await call(first, 'POST', '/events', event, key)).body.code).toBe('event_quota_exceeded');
  });

  it('changed over the API holds on the other replica at once', async () => {
    const { tenantId } = await createTenant();
    await call(first, 'PATCH', `/quotas/${tenantId}`, { max_webhooks: 0 });
    const quotas = await call(second, 'GET', `/quotas/${tenantId}`);
    expect(quotas.body.limits.max_webhooks).toBe(0);
    const webhook = { tenant_id: tenantId, url: 'https://hooks.example.com/' };
    expect((await call(second, 'POST', '/webhooks', webhook)).body.code).toBe('webhook_quota_exceeded');
  });

  it('that waits for a lock keeps nobody from sending events', async () => {
    const { tenantId, key } = await createTenant();
    const changes: Promise<Answer>[] = [];
    await database.sql.begin(async (sql) => {
      await sql`select value from config_sequence for update`;
      for (let i = 0; i < CHANGES; i++) {
        changes.push(call(second, 'POST', '/v1/tenants', { tenant_id: `waits-${i}` }));
      }
      const waiting = async () => {
        const [row] = await database.sql`
          select count(*)::int as n from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`;
        return row!.n >= 5;
      };
      await waitUntil(waiting, { what: 'changes to wait for the lock' });
      // A key that this replica has never seen, and a tenant that it has not loaded.
      const event = { tenant_id: tenantId, type: 'order.created', payload: 1 };
      expect(await call(second, 'POST', '/v1/events', event, key)).toMatchObject({ status: 202 });
    });
    for (const change of await Promise.all(changes)) expect(change.status).toBe(201);
  });

  it('leaves an audit row for each change', async () => {
    const { tenantId, key } = await createTenant();
    const webhook = { tenant_id: tenantId, url: 'https://hooks.example.com/' };
    const { body } = await call(first, 'POST', '/webhooks', webhook, key);
    await call(first, 'PATCH', `/quotas/${tenantId}`, { max_dlq_size: 5 });
    const rows = await database.sql`
      select action, subject, before from audit_log where tenant_id = ${tenantId} order by audit_id`;
    expect([...rows]).toEqual([
      { action: 'tenant.created', subject: tenantId, before: null },
      { action: 'endpoint.created', subject: body.webhook_id, before: null },
      { action: 'quotas.updated', subject: tenantId, before: { max_dlq_size: 100 } },
    ]);
  });

  it('keeps secrets sealed and keys hashed', async () => {
    const { tenantId, key } = await createTenant();
    const secret = 'a secret of the tenant';
    const webhook = { tenant_id: tenantId, url: 'https://hooks.example.com/', secret };
    const { body } = await call(first, 'POST', '/webhooks', webhook, key);
    expect(body.secret).toBe(secret);
    const stored = await database.sql`
      select e::text, k::text from endpoints e, api_keys k where e.tenant_id = ${tenantId} and k.tenant_id = ${tenantId}`;
    expect(JSON.stringify(stored)).not.toContain(secret);
    expect(JSON.stringify(stored)).not.toContain(key);
    expect((await call(first, 'GET', `/webhooks/${body.webhook_id}`, undefined, key)).text).not.toContain(
      secret,
    );
  });

  it('a revoked key is unknown to a replica that had not seen it', async () => {
    const { tenantId, key } = await createTenant();
    const [row] = await database.sql<{ keyId: string }[]>`
      select key_id from api_keys where tenant_id = ${tenantId}`;
    await revokeApiKey(database.sql, row!.keyId);
    expect((await call(second, 'GET', `/quotas/${tenantId}`, undefined, key)).status).toBe(401);
  });
});

describe('the record', () => {
  const DAY_MS = 86_400_000;

  /** What the recorder writes for an event with one delivery that failed for good. */
  async function recordFailure(tenantId: string, eventId: string, endpointId: string): Promise<string> {
    const deliveryId = deriveDeliveryId(eventId, endpointId, 0);
    const atMs = acceptedAtMs(eventId);
    const day = [Math.floor(atMs / DAY_MS)];
    const retentionDays = [30];
    const standing = [standingOrder({ state: 'failed', round: 0, attempt: 6 })];
    const subject = { tenantId: [tenantId], eventId: [eventId], retentionDays, day };
    const failure = { lastStatus: [503], lastError: ['answered 503'], lastFailure: ['http_5xx'] };
    const delivery = { ...subject, ...failure, deliveryId: [deliveryId], endpointId: [endpointId], run: [0] };
    await recordEvents(database.sql, {
      ...subject,
      type: ['order.created'],
      labels: ['{"region":"eu"}'],
      contentType: ['application/json'],
      payload: [Buffer.from('{"id": 98765432109876543210}')],
      occurredAtMs: [atMs],
      acceptedAtMs: [atMs],
      revision: [3],
      clientEventId: [null],
    });
    await recordDeliveries(database.sql, {
      ...delivery,
      eventType: ['order.created'],
      state: ['failed'],
      round: [0],
      attempt: [6],
      standing,
      nextDueAtMs: [null],
      updatedAtMs: [atMs],
    });
    await recordDeadLetters(database.sql, {
      ...delivery,
      eventType: ['order.created'],
      round: [0],
      standing,
      reason: ['attempts_exhausted'],
      attempts: [6],
      failedAtMs: [atMs],
      topic: ['dead-letters'],
      partition: [0],
      offset: [0],
    });
    await moveDeadLetterCounts(database.sql, new Map([[tenantId, 1]]));
    return deliveryId;
  }

  async function fail(quotas: Partial<Quotas> = {}) {
    const { tenantId, key } = await createTenant(quotas);
    const webhook = { tenant_id: tenantId, url: 'https://hooks.example.com/' };
    const endpointId: string = (await call(first, 'POST', '/webhooks', webhook, key)).body.webhook_id;
    const event = { tenant_id: tenantId, type: 'order.created', payload: 1 };
    const eventId: string = (await call(first, 'POST', '/events', event, key)).body.event_id;
    expect(isEventId(eventId)).toBe(true);
    const deliveryId = await recordFailure(tenantId, eventId, endpointId);
    return { tenantId, key, endpointId, eventId, deliveryId };
  }

  it('shows events, deliveries and dead letters to their tenant and to operators', async () => {
    const { tenantId, key, endpointId, eventId, deliveryId } = await fail();
    for (const asked of [key, OPERATOR_KEY]) {
      const event = await call(first, 'GET', `/v1/events/${eventId}`, undefined, asked);
      expect(event.text).toContain('"payload":{"id": 98765432109876543210}');
      expect(event.body.deliveries).toMatchObject([
        { delivery_id: deliveryId, state: 'failed', last_status: 503 },
      ]);
      const delivery = await call(first, 'GET', `/v1/deliveries/${deliveryId}`, undefined, asked);
      expect(delivery.body).toMatchObject({ webhook_id: endpointId, attempt: 6, attempts: [] });
      const query = `tenant_id=${tenantId}&webhook_id=${endpointId}&event_type=order.created&limit=10`;
      const dead = await call(first, 'GET', `/v1/dlq?${query}`, undefined, asked);
      expect(dead.body).toMatchObject({
        entries: [{ delivery_id: deliveryId, reason: 'attempts_exhausted', attempts: 6 }],
        total: 1,
        next: null,
      });
    }
    expect((await call(first, 'GET', '/dlq?limit=10')).body.total).toBeGreaterThan(0);
  });

  it('gives a dead letter back to Kafka with its payload, on request', async () => {
    const { tenantId, key, endpointId, eventId, deliveryId } = await fail();
    const { status, body } = await call(first, 'POST', `/dlq/${deliveryId}/retry`, undefined, key);
    expect(status).toBe(202);
    const wanted = (record: TrackedRecord): boolean => record.headers.ph_replay_id === body.replay_id;
    const record = await replicas.recordWhere(wanted, 'the replay');
    expect(record).toMatchObject({ topic: names.replay, key: tenantId });
    expect(record.value.toString()).toBe('{"id": 98765432109876543210}');
    expect(record.headers.ph_slots).toBe(endpointId);
    expect(decodeEvent(record.headers)).toMatchObject({ eventId, labels: { region: 'eu' } });
  });

  it('stops the events of a tenant whose dead letters are at the quota', async () => {
    const { tenantId, key } = await fail({ maxDlqSize: 1 });
    const event = { tenant_id: tenantId, type: 'a', payload: 1 };
    const refused = await waitUntil(
      async () => {
        const answer = await call(first, 'POST', '/events', event, key);
        return answer.status === 429 && answer;
      },
      { what: 'events to be refused' },
    );
    expect(refused.body).toMatchObject({ code: 'dlq_quota_exceeded', limit: 1, count: 1 });
  });
});

describe('without Postgres', () => {
  it('events of known tenants are accepted, others and changes are 503, and health is degraded', async () => {
    const known = await createTenant();
    const unknown = await createTenant();
    const event = (tenantId: string) => ({ tenant_id: tenantId, type: 'a', payload: 1 });
    expect((await call(second, 'POST', '/events', event(known.tenantId))).status).toBe(202);
    replicas.postgres.cut();
    const health = await waitUntil(
      async () => {
        const answer = await call(second, 'GET', '/health');
        return answer.body.status === 'degraded' && answer;
      },
      { what: 'health to be degraded' },
    );
    expect(health).toMatchObject({ status: 200, body: { components: { kafka: 'up', postgres: 'down' } } });
    expect((await call(second, 'GET', '/readyz')).status).toBe(200);
    const accepted = await call(second, 'POST', '/events', event(known.tenantId));
    expect(accepted.status).toBe(202);
    await recordOf(accepted.body.event_id);
    const named = await call(second, 'POST', '/events', { ...event(known.tenantId), event_id: 'order 42' });
    expect([named.status, named.body.code]).toEqual([503, 'database_unavailable']);
    const refused = await call(second, 'POST', '/events', event(unknown.tenantId));
    expect([refused.status, refused.body.code]).toEqual([503, 'tenant_unavailable']);
    const change = await call(second, 'PATCH', `/quotas/${known.tenantId}`, { max_webhooks: 1 });
    expect([change.status, change.body.code]).toEqual([503, 'database_unavailable']);
    const other = await call(second, 'GET', '/dlq', undefined, unknown.key);
    expect([other.status, other.body.code]).toEqual([503, 'database_unavailable']);
    replicas.postgres.heal();
    await waitUntil(async () => (await call(second, 'GET', '/health')).body.status === 'ok', {
      what: 'health to be ok again',
    });
    expect((await call(second, 'POST', '/events', event(unknown.tenantId))).status).toBe(202);
  });
});

describe('without Kafka', () => {
  it('an event is not accepted, and the sender is told so in time', async () => {
    const gone = connectKafka({ brokers: ['127.0.0.1:1'], clientId: 'ingest-test' }, log);
    const producer = createProducer(gone, { deliveryTimeoutMs: 500 });
    void producer.start().catch(() => undefined);
    const lanes = { lanes: [0], drainingLanes: [], lanesRevision: 0, cancellations: [] };
    const config = { tenantId: 'acme', revision: 1, ...lanes, retentionDays: 30, endpoints: new Map() };
    const quotas = {
      maxEventsPerSec: 100,
      maxConcurrentDeliveries: 1,
      maxDlqSize: 1,
      maxWebhooks: 1,
      dlqPolicy: 'warn' as const,
    };
    const startedMs = performance.now();
    const result = await acceptEvent(
      {
        tenants: { fresh: true, peek: () => ({ ...config, quotas }), get: () => Promise.reject(new Error()) },
        catalogue: { find: () => undefined, loaded: true },
        payloadChecks: { check: () => Promise.reject(new Error()) },
        rate: createRateWindow(),
        once: { admit: () => Promise.reject(new Error()), waiting: 0 },
        countDeadLetters: () => 0,
        send: (record) => producer.send(record),
        eventsTopic: names.events,
        eventPartitions: EVENT_PARTITIONS,
        tracing,
        log,
        clock: systemClock,
      },
      {
        caller: {
          keyId: 'key',
          kind: 'operator',
          tenantId: null,
          scopes: withIncluded(['admin']),
          labels: null,
          name: null,
          expiresAtMs: null,
        },
        event: parseEvent(Buffer.from('{"tenant_id":"acme","type":"a","payload":1}'), ANY) as PostedEvent,
        traceparent: undefined,
        idempotencyKey: null,
        source: Buffer.alloc(0),
      },
    );
    expect(isProblem(result) && result.code).toBe('not_accepted');
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    await producer.stop();
  });
});
