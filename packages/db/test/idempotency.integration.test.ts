import { createHash, randomUUID } from 'node:crypto';
import { mintEventId } from '@posthorn/contracts';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type ClaimNames,
  type Database,
  findClaims,
  insertClaim,
  leaveClaim,
  type NewClaim,
  openDatabase,
  type PoolSql,
  releaseClaim,
  removeExpiredClaims,
  removeOldClaims,
  renewClaim,
  storeAnswer,
  takeOverClaim,
} from '../src/index.ts';

const bodyHash = createHash('sha256').update('body').digest();
const LEASE_MS = 60_000;

let database: Database;
let sql: PoolSql;
let tenantId: string;

beforeAll(async () => {
  database = openDatabase({ url: await databaseUrl(), pool: 8, applicationName: 'test' });
  sql = database.sql;
});
afterAll(() => database.close());
beforeEach(() => {
  tenantId = `tenant-${randomUUID()}`;
});

const key = (idempotencyKey: string): ClaimNames => ({ idempotencyKey, clientEventId: null });
const id = (clientEventId: string): ClaimNames => ({ idempotencyKey: null, clientEventId });

function newClaim(names: ClaimNames, given: Partial<NewClaim> = {}): NewClaim {
  const eventId = mintEventId(Date.now());
  return {
    ...names,
    tenantId,
    eventId,
    bodyHash,
    partition: 3,
    leaseId: randomUUID(),
    leaseMs: LEASE_MS,
    ...given,
  };
}

describe('a claim', () => {
  test('is one request’s of all that come at once', async () => {
    const all = Array.from({ length: 50 }, () => newClaim(key('k')));
    const won = await Promise.all(all.map((claim) => insertClaim(sql, claim)));
    expect(won.filter(Boolean)).toHaveLength(1);
    const winner = all[won.indexOf(true)]!;
    const [found, ...others] = await findClaims(sql, tenantId, key('k'));
    expect(others).toEqual([]);
    expect(found).toMatchObject({ eventId: winner.eventId, leaseId: winner.leaseId, partition: 3 });
    expect(found).toMatchObject({ answer: null, expired: false, bodyHash });
    expect(found!.leaseLeftMs).toBeGreaterThan(LEASE_MS - 10_000);
    expect(found!.leaseLeftMs).toBeLessThanOrEqual(LEASE_MS);
  });

  test('holds its key and its id alike, or nothing when either is taken', async () => {
    const both = { idempotencyKey: 'k', clientEventId: 'order 42' };
    expect(await insertClaim(sql, newClaim(both))).toBe(true);
    expect(await insertClaim(sql, newClaim({ idempotencyKey: 'other', clientEventId: 'order 42' }))).toBe(
      false,
    );
    expect(await insertClaim(sql, newClaim({ idempotencyKey: 'k', clientEventId: 'order 43' }))).toBe(false);
    expect(await insertClaim(sql, newClaim({ idempotencyKey: 'other', clientEventId: 'order 43' }))).toBe(
      true,
    );
  });

  test('is found by either name, and two are when each is another’s', async () => {
    const [first, second] = [newClaim(key('k')), newClaim(id('order 42'))];
    await Promise.all([insertClaim(sql, first), insertClaim(sql, second)]);
    const found = await findClaims(sql, tenantId, { idempotencyKey: 'k', clientEventId: 'order 42' });
    expect(found.map(({ eventId }) => eventId).sort()).toEqual([first.eventId, second.eventId].sort());
    expect(await findClaims(sql, tenantId, id('k'))).toEqual([]);
  });

  test('of another tenant is another', async () => {
    expect(await insertClaim(sql, newClaim(key('k')))).toBe(true);
    expect(await insertClaim(sql, newClaim(key('k'), { tenantId: `${tenantId}-2` }))).toBe(true);
    expect(await findClaims(sql, `${tenantId}-3`, key('k'))).toEqual([]);
  });
});

describe('the lease of a claim', () => {
  test('is taken over by one request once it has run out, and not before', async () => {
    const held = newClaim(key('k'));
    await insertClaim(sql, held);
    const taker = () => ({ leaseId: randomUUID(), leaseMs: LEASE_MS });
    expect(await takeOverClaim(sql, held, taker())).toBe(false);
    await leaveClaim(sql, held);
    const takers = Array.from({ length: 10 }, taker);
    const taken = await Promise.all(takers.map((lease) => takeOverClaim(sql, held, lease)));
    expect(taken.filter(Boolean)).toHaveLength(1);
    const [row] = await findClaims(sql, tenantId, key('k'));
    expect(row).toMatchObject({ leaseId: takers[taken.indexOf(true)]!.leaseId, eventId: held.eventId });
  });

  test('gives nobody a say who has lost it', async () => {
    const lost = newClaim(key('k'), { leaseMs: 0 });
    await insertClaim(sql, lost);
    const held = { ...lost, leaseId: randomUUID() };
    expect(await takeOverClaim(sql, lost, { leaseId: held.leaseId, leaseMs: LEASE_MS })).toBe(true);
    expect(await storeAnswer(sql, lost, 'late')).toBe(false);
    expect(await renewClaim(sql, lost, { partition: 1, leaseMs: LEASE_MS })).toBe(false);
    await releaseClaim(sql, lost);
    await leaveClaim(sql, lost);
    expect(await renewClaim(sql, held, { partition: 5, leaseMs: 2 * LEASE_MS })).toBe(true);
    expect(await storeAnswer(sql, held, '{"n":1}')).toBe(true);
    const [row] = await findClaims(sql, tenantId, key('k'));
    expect(row).toMatchObject({ answer: '{"n":1}', partition: 5, leaseId: held.leaseId });
    expect(row!.leaseLeftMs).toBeGreaterThan(LEASE_MS);
  });

  test('ends with the answer: neither taken over nor released after it', async () => {
    const held = newClaim(key('k'), { leaseMs: 0 });
    await insertClaim(sql, held);
    await storeAnswer(sql, held, '{}');
    expect(await takeOverClaim(sql, held, { leaseId: randomUUID(), leaseMs: LEASE_MS })).toBe(false);
    await releaseClaim(sql, held);
    expect(await findClaims(sql, tenantId, key('k'))).toHaveLength(1);
  });

  test('that is released frees the names', async () => {
    const held = newClaim({ idempotencyKey: 'k', clientEventId: 'order 42' });
    await insertClaim(sql, held);
    await releaseClaim(sql, held);
    expect(await insertClaim(sql, newClaim(key('k')))).toBe(true);
    expect(await insertClaim(sql, newClaim(id('order 42')))).toBe(true);
  });
});

describe('a claim whose day is over', () => {
  const age = (names: ClaimNames) =>
    sql`update event_claims set expires_at = now() - interval '1 second'
        where tenant_id = ${tenantId} and idempotency_key = ${names.idempotencyKey}`;

  test('says so, and makes room for the next of its name', async () => {
    await insertClaim(sql, newClaim(key('k')));
    await removeExpiredClaims(sql, tenantId, key('k'));
    expect(await insertClaim(sql, newClaim(key('k')))).toBe(false);
    await age(key('k'));
    expect(await findClaims(sql, tenantId, key('k'))).toMatchObject([{ expired: true }]);
    await removeExpiredClaims(sql, tenantId, key('k'));
    expect(await insertClaim(sql, newClaim(key('k')))).toBe(true);
  });

  test('is removed by the upkeep, others stay', async () => {
    await Promise.all(['old', 'new'].map((name) => insertClaim(sql, newClaim(key(name)))));
    await age(key('old'));
    expect(await removeOldClaims(sql)).toBe(1);
    expect(await removeOldClaims(sql)).toBe(0);
    expect(await findClaims(sql, tenantId, key('old'))).toEqual([]);
    expect(await findClaims(sql, tenantId, key('new'))).toHaveLength(1);
  });
});
