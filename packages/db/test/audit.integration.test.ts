import { mintEndpointId } from '@posthorn/contracts';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  createEndpoint,
  createTenant,
  type Database,
  insertAuditEntry,
  inTransaction,
  openDatabase,
  type PoolSql,
  processActor,
  readAuditHead,
  removeExpiredCancellations,
  updateQuotas,
  verifyAuditLog,
} from '../src/index.ts';

let database: Database;
let sql: PoolSql;
let tenantId: string;
let tenants = 0;
const actor = { keyId: 'key_1', name: 'Zoë', ip: '192.0.2.1', requestId: 'req_1' };

beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 4, applicationName: 'audit-test' });
  sql = database.sql;
});
afterAll(() => database.close());

beforeEach(async () => {
  tenantId = `tenant-${++tenants}`;
  await inTransaction(sql, async (transaction) => {
    await createTenant(transaction, { tenantId, name: 'Tenant', lanes: [3] });
    await insertAuditEntry(transaction, { actor, action: 'tenant.created', tenantId, subject: tenantId });
  });
});

const write = (subject: string) =>
  insertAuditEntry(sql, {
    actor,
    action: 'thing.changed',
    tenantId,
    subject,
    before: { a: 1 },
    after: { a: 2 },
  });

const rows = () => sql`
  select actor, actor_name, ip, request_id, action, subject, before, after from audit_log
  where tenant_id = ${tenantId} order by seq`;

/** As somebody would who owns the database. */
const tamper = (work: (sql: PoolSql) => Promise<unknown>) =>
  sql.begin(async (transaction) => {
    await transaction`set local session_replication_role = replica`;
    await work(transaction as unknown as PoolSql);
  });

describe('the audit log', () => {
  test('is chained in the order of commits, also by writers at the same time', async () => {
    await Promise.all(Array.from({ length: 12 }, (_, i) => write(`thing-${i}`)));
    const { entries, last, faults } = await verifyAuditLog(sql);
    expect(faults).toEqual([]);
    expect(last).toEqual(await readAuditHead(sql));
    expect(entries).toBe(last.seq);
  });

  test('has a row exactly where the change was committed', async () => {
    const before = await readAuditHead(sql);
    const undone = inTransaction(sql, async (transaction) => {
      await updateQuotas(transaction, tenantId, { maxDlqSize: 1 });
      await insertAuditEntry(transaction, { actor, action: 'quotas.updated', tenantId, subject: tenantId });
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(await readAuditHead(sql)).toEqual(before);
  });

  test('tells who, what, before and after, with names as the API has them', async () => {
    await insertAuditEntry(sql, {
      actor,
      action: 'quotas.updated',
      tenantId,
      subject: tenantId,
      before: { maxDlqSize: 100 },
      after: { maxDlqSize: 5 },
    });
    expect((await rows()).at(-1)).toEqual({
      actor: 'key_1',
      actorName: 'Zoë',
      ip: '192.0.2.1',
      requestId: 'req_1',
      action: 'quotas.updated',
      subject: tenantId,
      before: { max_dlq_size: 100 },
      after: { max_dlq_size: 5 },
    });
  });

  test('is not changed by an ordinary statement', async () => {
    await expect(sql`update audit_log set actor = 'nobody' where seq = 1`).rejects.toThrow('only added to');
    await expect(sql`delete from audit_log where seq = 1`).rejects.toThrow('only added to');
  });
});

describe('a change by SQL behind the API', () => {
  test('has its row in the same transaction, with the role and what changed', async () => {
    await sql`update quotas set max_webhooks = 7 where tenant_id = ${tenantId}`;
    expect((await rows()).at(-1)).toMatchObject({
      actor: 'sql:posthorn',
      actorName: 'audit-test',
      action: 'quotas.updated',
      subject: tenantId,
      before: { max_webhooks: 1000 },
      after: { max_webhooks: 7 },
    });
  });

  test('shows no secret, and no credentials in a URL', async () => {
    const endpointId = mintEndpointId(1_790_000_000_000);
    const url = 'https://user:hunter2@example.com/';
    await createEndpoint(sql, tenantId, {
      endpointId,
      url,
      description: '',
      eventTypes: ['*'],
      labels: {},
      sealedSecrets: ['canary'],
      retryScheduleMs: null,
      attemptTimeoutMs: null,
    });
    await sql`update endpoints set sealed_secrets = '["canary2"]' where endpoint_id = ${endpointId}`;
    const found = (await rows()).filter(({ subject }) => subject === endpointId);
    expect(found.map(({ action }) => action)).toEqual([
      'endpoint.created',
      'subscription.created',
      'endpoint.updated',
    ]);
    expect(found[0]!.after).toMatchObject({
      url: 'https://[redacted]@example.com/',
      sealed_secrets: '[redacted]',
    });
    expect(found[2]).toMatchObject({
      before: { sealed_secrets: '[redacted]' },
      after: { sealed_secrets: '[redacted]' },
    });
    expect(JSON.stringify(found)).not.toMatch(/canary|hunter2/);
  });

  test('is one row with all that it carries away', async () => {
    await sql`
      insert into cancellations (tenant_id, revision, expires_at)
      values (${tenantId}, 1, now() + interval '1 day')`;
    await sql`delete from tenants where tenant_id = ${tenantId}`;
    expect((await rows()).map(({ action }) => action)).toEqual([
      'tenant.created',
      'cancellation.created',
      'tenant.deleted',
    ]);
  });

  test('is none when what has expired is cleared away', async () => {
    await sql`
      insert into cancellations (tenant_id, revision, expires_at)
      values (${tenantId}, 1, now()), (${tenantId}, 2, now() + interval '1 day')`;
    await removeExpiredCancellations(sql);
    await sql`delete from cancellations where tenant_id = ${tenantId}`;
    expect((await rows()).map(({ action }) => action)).toEqual([
      'tenant.created',
      'cancellation.created',
      'cancellation.created',
      'cancellation.deleted',
    ]);
  });

  test('is one row with all that follows from it in other tables', async () => {
    await sql`update plans set max_webhooks = max_webhooks + 1 where plan_id = 'default'`;
    const [row] = await sql`select action, subject, after from audit_log order by seq desc limit 1`;
    expect(row).toEqual({ action: 'plan.updated', subject: 'default', after: { max_webhooks: 1001 } });
    expect((await rows()).map(({ action }) => action)).toEqual(['tenant.created']);
  });

  test('adds nothing to a change that was told about', async () => {
    await inTransaction(sql, async (transaction) => {
      await updateQuotas(transaction, tenantId, { maxDlqSize: 1 });
      await insertAuditEntry(transaction, {
        actor: processActor('recorder'),
        action: 'quotas.updated',
        tenantId,
        subject: tenantId,
      });
    });
    expect((await rows()).map((row) => [row.actor, row.action])).toEqual([
      ['key_1', 'tenant.created'],
      ['recorder', 'quotas.updated'],
    ]);
    expect((await verifyAuditLog(sql)).faults).toEqual([]);
  });
});

describe('verifying', () => {
  let seq: number;
  beforeEach(async () => {
    seq = (await readAuditHead(sql)).seq;
    for (let i = 1; i <= 5; i++) await write(`thing-${i}`);
  });

  const faultsAfter = async (
    work: (sql: PoolSql) => Promise<unknown>,
    pins?: Parameters<typeof verifyAuditLog>[1],
  ) => {
    await sql`create table saved_log as select * from audit_log`;
    await sql`create table saved_head as select * from audit_head`;
    try {
      await tamper(work);
      return (await verifyAuditLog(sql, pins)).faults;
    } finally {
      await tamper(async (owner) => {
        await owner`delete from audit_log`;
        await owner`insert into audit_log overriding system value select * from saved_log`;
        await owner`update audit_head set (seq, hash) = (select seq, hash from saved_head)`;
        await owner`drop table saved_log, saved_head`;
      });
    }
  };

  test.each([
    ['who', "actor = 'key_2'"],
    ['the person', 'actor_name = null'],
    ['from where', "ip = '192.0.2.2'"],
    ['what', "action = 'thing.made'"],
    ['whose', 'tenant_id = null'],
    ['when', "at = at - interval '1 microsecond'"],
    ['before', `before = '{"a": 0}'`],
    ['after', 'after = null'],
    ['the rest', `detail = '{"a": 0}'`],
    ['the request', "request_id = 'req_2'"],
    ['on what', "subject = 'thing-9'"],
  ])('finds an entry in which %s was edited', async (_what, assignment) => {
    const edit = (owner: PoolSql) =>
      owner.unsafe(`update audit_log set ${assignment} where seq = ${seq + 3}`);
    expect(await faultsAfter(edit)).toEqual([{ kind: 'altered', seq: seq + 3 }]);
  });

  test('finds an entry that was edited together with its hash', async () => {
    const forge = (owner: PoolSql) =>
      owner.unsafe(`update audit_log entry set actor = 'key_2', hash = audit_hash(
        (select hash from audit_log where seq = ${seq + 2}), jsonb_populate_record(entry, '{"actor": "key_2"}'))
        where seq = ${seq + 3}`);
    expect(await faultsAfter(forge)).toEqual([{ kind: 'altered', seq: seq + 4 }]);
  });

  test('finds entries that were removed', async () => {
    const remove = (owner: PoolSql) => owner`delete from audit_log where seq in (${seq + 2}, ${seq + 3})`;
    expect(await faultsAfter(remove)).toEqual([{ kind: 'missing', seq: seq + 2, count: 2 }]);
  });

  test('finds entries that changed places', async () => {
    const swap = async (owner: PoolSql) => {
      await owner`update audit_log set seq = -seq where seq in (${seq + 2}, ${seq + 3})`;
      await owner`update audit_log set seq = ${2 * seq + 5} + seq where seq < 0`;
    };
    expect((await faultsAfter(swap)).map(({ kind }) => kind)).toContain('altered');
  });

  test('finds that the tail was cut', async () => {
    const cut = (owner: PoolSql) => owner`delete from audit_log where seq > ${seq + 3}`;
    expect(await faultsAfter(cut)).toEqual([{ kind: 'cut', seq: seq + 4, count: 2 }]);
  });

  test('finds an entry that was slipped in', async () => {
    const slip = (owner: PoolSql) =>
      owner`insert into audit_log (actor, action, subject) values ('key_2', 'thing.changed', 'thing-9')`;
    expect(await faultsAfter(slip)).toEqual([{ kind: 'unchained', count: 1 }]);
  });

  test('finds by a pinned head that the tail was cut and the head with it, or all written anew', async () => {
    const pin = await readAuditHead(sql);
    const cutBoth = async (owner: PoolSql) => {
      await owner`delete from audit_log where seq > ${seq + 3}`;
      await owner`update audit_head set (seq, hash) = (select seq, hash from audit_log where seq = ${seq + 3})`;
    };
    expect(await faultsAfter(cutBoth)).toEqual([]);
    expect(await faultsAfter(cutBoth, [pin])).toEqual([{ kind: 'cut', seq: seq + 4, count: 2 }]);
    const rewrite = async (owner: PoolSql) => {
      await owner`update audit_log entry set actor = 'key_2', hash = audit_hash(
        (select hash from audit_log where seq = ${seq + 4}), jsonb_populate_record(entry, '{"actor": "key_2"}'))
        where seq = ${seq + 5}`;
      await owner`update audit_head set hash = (select hash from audit_log where seq = ${seq + 5})`;
    };
    expect(await faultsAfter(rewrite)).toEqual([]);
    expect(await faultsAfter(rewrite, [pin])).toEqual([{ kind: 'replaced', seq: seq + 5 }]);
  });
});
