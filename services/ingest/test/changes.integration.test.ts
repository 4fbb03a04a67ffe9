import { decodeEvent, decodeJournal, type JournalEntry } from '@posthorn/contracts';
import type { Database } from '@posthorn/db';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ingest } from '../src/service.ts';
import { type Answer, call, names, type Replicas, startReplicas } from './start-replicas.ts';

let replicas: Replicas;
let database: Database;
let first: Ingest;
let second: Ingest;

beforeAll(async () => {
  replicas = await startReplicas();
  ({ database, first, second } = replicas);
});

afterAll(() => replicas?.close());

interface Made {
  readonly tenantId: string;
  readonly key: string;
  readonly endpointId: string;
}

async function withWebhook(fields: object = {}): Promise<Made> {
  const { tenantId, key } = await replicas.createTenant();
  const webhook = { tenant_id: tenantId, url: 'https://hooks.example.com/', ...fields };
  const { body } = await call(first, 'POST', '/webhooks', webhook, key);
  return { tenantId, key, endpointId: body.webhook_id };
}

/** How many webhooks an event leads to, as the other replica sees it right after a change. */
async function reached({ tenantId, key }: Made, type = 'order.created'): Promise<number> {
  const { body } = await call(second, 'POST', '/events', { tenant_id: tenantId, type, payload: 1 }, key);
  return body.webhooks_queued;
}

async function journaled<K extends JournalEntry['kind']>(
  kind: K,
  fits: (entry: Extract<JournalEntry, { kind: K }>) => boolean,
): Promise<Extract<JournalEntry, { kind: K }>> {
  const find = (value: Buffer) =>
    decodeJournal(value).find((entry) => entry.kind === kind && fits(entry as never)) as never;
  const { value } = await replicas.recordWhere(
    (record) => record.topic === names.journal && find(record.value) !== undefined,
    `a ${kind} entry`,
  );
  return find(value);
}

describe('a webhook', () => {
  it('is changed everywhere when the answer is there', async () => {
    const made = await withWebhook({ retry_schedule: 'standard' });
    const limits = { max_concurrency: 3, max_per_sec: 7, max_retry_seconds: 60, attempt_timeout_ms: 1_000 };
    const fields = { url: 'https://hooks.example.com/new', event_types: ['invoice.*'], ...limits };
    const path = `/webhooks/${made.endpointId}`;
    const changed = await call(first, 'PATCH', path, { ...fields, retry_schedule: null }, made.key);
    expect(changed).toMatchObject({
      status: 200,
      body: { ...fields, retry_schedule: null, state: 'active' },
    });
    expect([await reached(made), await reached(made, 'invoice.paid')]).toEqual([0, 1]);
    expect((await call(second, 'GET', path, undefined, made.key)).body).toEqual(changed.body);
  });

  it('goes through all of its states, with an audit row for each change', async () => {
    const made = await withWebhook();
    const path = `/webhooks/${made.endpointId}`;
    const seen: unknown[] = [];
    const step = async (method: string, to: string, body?: unknown) => {
      const answer: Answer = await call(first, method, path + to, body, made.key);
      const state = answer.body && [answer.body.state, answer.body.state_reason, answer.body.pause_mode];
      seen.push([answer.status, state, await reached(made)]);
    };
    await step('POST', '/pause', { mode: 'hold' });
    await step('POST', '/pause', { mode: 'drop' });
    await step('PATCH', '', { event_types: ['order.*'] });
    await step('POST', '/resume');
    await step('PATCH', '', { enabled: false });
    await step('PATCH', '', { enabled: true });
    await step('DELETE', '');
    expect(seen).toEqual([
      [200, ['paused', 'person', 'hold'], 1],
      [200, ['paused', 'person', 'drop'], 0],
      [200, ['paused', 'person', 'drop'], 0],
      [200, ['active', null, null], 1],
      [200, ['disabled', 'person', null], 0],
      [200, ['active', null, null], 1],
      [204, null, 0],
    ]);
    const rows = await database.sql`
      select action, after from audit_log where subject = ${made.endpointId} order by audit_id`;
    const inState = (
      state: string,
      state_reason: string | null = 'person',
      pause_mode: string | null = null,
    ) => ({
      state,
      state_reason,
      pause_mode,
    });
    expect(rows.map(({ action, after }) => [action, after])).toEqual([
      ['endpoint.created', expect.objectContaining({ sealed_secrets: '[redacted]' })],
      ['endpoint.paused', inState('paused', 'person', 'hold')],
      ['endpoint.paused', inState('paused', 'person', 'drop')],
      ['endpoint.updated', { event_types: ['order.*'] }],
      ['endpoint.resumed', inState('active', null)],
      ['endpoint.disabled', inState('disabled')],
      ['endpoint.enabled', inState('active', null)],
      ['endpoint.deleted', inState('deleted')],
    ]);
  });
});

describe('an event with a delivery time', () => {
  it('carries it to Kafka', async () => {
    const { tenantId, key } = await replicas.createTenant();
    const deliver_at = new Date(Date.now() + 3_600_000).toISOString();
    const event = { tenant_id: tenantId, type: 'a', payload: 1, deliver_at };
    const { status, body } = await call(first, 'POST', '/events', event, key);
    expect([status, body.deliver_at]).toEqual([202, deliver_at]);
    const fits = ({ headers }: { headers: Record<string, string> }) => headers.ce_id === body.event_id;
    const record = await replicas.recordWhere(fits, 'the event');
    expect(decodeEvent(record.headers).deliverAtMs).toBe(Date.parse(deliver_at));
  });
});

describe('lanes', () => {
  it('are changed while those that are left drain, never more than the cap', async () => {
    const { tenantId } = await replicas.createTenant({ maxConcurrentDeliveries: 3 });
    const path = `/v1/tenants/${tenantId}/lanes`;
    const changed = await call(first, 'PUT', path, { lanes: [2, 3] });
    const shown = { tenant_id: tenantId, lanes: [2, 3], draining_lanes: [1] };
    expect(changed).toMatchObject({ status: 200, body: shown });
    expect((await call(second, 'GET', path)).body).toEqual(shown);
    expect((await call(second, 'PUT', path, { lanes: [1] })).body.draining_lanes).toEqual([2, 3]);
    const lower = await call(first, 'PATCH', `/quotas/${tenantId}`, { max_concurrent_deliveries: 2 });
    expect([lower.status, lower.body.code, lower.body.lanes]).toEqual([409, 'too_many_lanes', 3]);
    await database.sql`update quotas set max_concurrent_deliveries = 2 where tenant_id = ${tenantId}`;
    const refused = await call(first, 'PUT', path, { lanes: [3] });
    expect([refused.status, refused.body.code]).toEqual([409, 'too_many_lanes']);
  });
});

describe('a cancellation', () => {
  it('is in the configuration of every replica and in the journal under one revision', async () => {
    const { tenantId, key, endpointId } = await withWebhook();
    const { status, body } = await call(first, 'POST', `/webhooks/${endpointId}/cancel`, undefined, key);
    expect(status).toBe(202);
    expect(body).toMatchObject({ tenant_id: tenantId, webhook_id: endpointId, event_id: null });
    const entry = await journaled('purged', (each) => each.tenantId === tenantId);
    expect(entry).toMatchObject({ endpointId, eventId: null, revision: body.revision });
    const rows =
      await database.sql`select revision, endpoint_id from cancellations where tenant_id = ${tenantId}`;
    expect([...rows]).toEqual([{ revision: body.revision, endpointId }]);
    const event = await call(second, 'POST', '/events', { tenant_id: tenantId, type: 'a', payload: 1 }, key);
    const fits = ({ headers }: { headers: Record<string, string> }) => headers.ce_id === event.body.event_id;
    const { headers } = await replicas.recordWhere(fits, 'the event after it');
    expect(decodeEvent(headers).revision).toBeGreaterThanOrEqual(body.revision);
  });
});

describe('a job', () => {
  it('counts what it would do, is listed, and is cancelled once', async () => {
    const { tenantId, key, endpointId } = await withWebhook();
    const span = { since: '2026-01-01T00:00:00Z' };
    const paths = ['/dlq/retry', `/webhooks/${endpointId}/recover`, `/webhooks/${endpointId}/replay-missing`];
    const kinds: string[] = [];
    for (const path of paths) {
      const dry = await call(first, 'POST', path, { ...span, dry_run: true }, key);
      const none = { dry_run: true, tenant_id: tenantId, total: 0, sample: [] };
      expect(dry).toMatchObject({ status: 200, body: none });
      const { status, body } = await call(first, 'POST', path, { ...span, rate_per_sec: 5 }, key);
      expect(status).toBe(202);
      kinds.push(body.kind);
      expect((await call(second, 'GET', `/v1/jobs/${body.job_id}`, undefined, key)).body).toEqual(body);
      const cancelled = await call(second, 'POST', `/jobs/${body.job_id}/cancel`, undefined, key);
      expect([cancelled.status, cancelled.body.state]).toEqual([200, 'cancelled']);
      const again = await call(first, 'POST', `/jobs/${body.job_id}/cancel`, undefined, key);
      expect([again.status, again.body.code]).toEqual([409, 'job_finished']);
    }
    expect(kinds).toEqual(['dead_letters', 'recover', 'missing']);
    expect((await call(second, 'GET', '/jobs', undefined, key)).body.data).toHaveLength(3);
    const audited = await database.sql`
      select action from audit_log where tenant_id = ${tenantId} and action like 'job.%'`;
    expect(audited).toHaveLength(6);
  });
});

describe('the system’s own tenant', () => {
  it('is there from the start, takes webhooks and no events', async () => {
    const webhook = { tenant_id: 'posthorn', url: 'https://ops.example.com/', event_types: ['posthorn.*'] };
    expect((await call(first, 'POST', '/webhooks', webhook)).status).toBe(201);
    const event = await call(first, 'POST', '/events', { tenant_id: 'posthorn', type: 'a', payload: 1 });
    expect([event.status, event.body.code]).toEqual([403, 'tenant_reserved']);
  });
});

describe('what was set aside', () => {
  it('is shown to operators, the latest first, page by page', async () => {
    for (let offset = 0; offset < 3; offset++)
      await database.sql`
        insert into set_aside (topic, partition, "offset", reason, headers)
        values ('replay', 0, ${offset}, 'ph_mac is wrong', '{}')`;
    const page = await call(first, 'GET', '/v1/set-aside?limit=2');
    expect(page.body.entries).toHaveLength(2);
    const rest = await call(first, 'GET', page.body.next);
    expect([rest.body.entries.length, rest.body.next]).toEqual([1, null]);
    const offsets = [...page.body.entries, ...rest.body.entries].map(({ offset }) => offset).sort();
    expect(offsets).toEqual([0, 1, 2]);
  });
});

describe('quotas', () => {
  it('show what workers hold of a tenant', async () => {
    const { tenantId, key } = await replicas.createTenant();
    await database.sql`
      insert into tenant_load (tenant_id, worker_id, in_flight, queued, reported_at)
      values (${tenantId}, 'a', 3, 10, now()), (${tenantId}, 'b', 2, 0, now()),
             (${tenantId}, 'gone', 9, 9, now() - interval '1 minute')`;
    const { body } = await call(first, 'GET', `/quotas/${tenantId}`, undefined, key);
    expect(body).toMatchObject({ current_usage: { concurrent_deliveries: 5 }, queued_deliveries: 10 });
  });
});

describe('the event rate', () => {
  it('is one over all replicas: who has filled it at one is refused at the other, before that one’s own is full', async () => {
    const limit = 400;
    const { tenantId, key } = await replicas.createTenant({ maxEventsPerSec: limit });
    const event = { tenant_id: tenantId, type: 'order.created', payload: 1 };
    const batch = Array.from({ length: limit }, () => event);
    const { body: filled } = await call(first, 'POST', '/events/batch', batch, key);
    let admitted = 0;
    let answer: Answer;
    do {
      answer = await call(second, 'POST', '/events', event, key);
      admitted += Number(answer.status === 202);
    } while (answer.status === 202 && admitted < limit);
    expect(answer).toMatchObject({
      status: 429,
      body: { code: 'event_quota_exceeded', quota: 'max_events_per_sec' },
    });
    expect(admitted).toBeLessThan(limit);
    expect(filled.accepted).toBe(limit);
    const { body: usage } = await call(second, 'GET', `/quotas/${tenantId}`, undefined, key);
    expect(usage.current_usage.events_last_minute).toBe(limit + admitted);
  });
});
