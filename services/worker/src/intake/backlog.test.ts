import { expect, test } from 'vitest';
import { Backlog, MAX_WANTING } from './backlog.ts';

const read = (backlog: Backlog, tenantId: string, offsets: readonly number[]) => {
  for (const offset of offsets) {
    backlog.passOver(tenantId, offset);
    backlog.read(tenantId, offset);
  }
};

test('a tenant is in the overflow from the beginning of a move until the last copy was read and taken', () => {
  const backlog = new Backlog(10, 0);
  expect(backlog.has('acme')).toBe(false);
  backlog.moving('acme');
  expect([backlog.has('acme'), backlog.expects]).toEqual([true, true]);
  backlog.moved('acme', 7);
  expect([backlog.has('acme'), backlog.expects]).toEqual([true, true]);
  read(backlog, 'acme', [7]);
  expect([backlog.has('acme'), backlog.expects]).toEqual([true, false]);
  backlog.readAgain('acme', 7, 7);
  expect(backlog.has('acme')).toBe(false);
});

test('a move that was given up leaves nothing behind', () => {
  const backlog = new Backlog(10, 0);
  backlog.moving('acme');
  backlog.moved('acme', null);
  expect([backlog.has('acme'), backlog.expects, backlog.tenants]).toEqual([false, false, 0]);
});

test('what is passed over is counted for each tenant', () => {
  const backlog = new Backlog(10, 0);
  read(backlog, 'acme', [1, 5, 6]);
  read(backlog, 'globex', [3]);
  expect([...backlog.passedOver()]).toEqual([
    ['acme', 3],
    ['globex', 1],
  ]);
  backlog.readAgain('acme', 5, 5);
  expect([...backlog.passedOver()][0]).toEqual(['acme', 2]);
});

test('what is wanted next is what comes next, else the first of all', () => {
  const backlog = new Backlog(10, 0);
  read(backlog, 'acme', [1, 5]);
  read(backlog, 'globex', [3, 9]);
  expect(backlog.nextWanted(0)).toBeNull();
  backlog.want('acme');
  expect([backlog.nextWanted(0), backlog.nextWanted(2), backlog.nextWanted(6)]).toEqual([1, 5, 1]);
  backlog.want('globex');
  expect([backlog.nextWanted(2), backlog.nextWanted(6)]).toEqual([3, 9]);
  backlog.wantNoMore('globex');
  expect(backlog.nextWanted(6)).toBe(1);
});

test('what a merged run spans and is not there is forgotten by reading past it', () => {
  const backlog = new Backlog(2, 0);
  read(backlog, 'acme', [1, 3, 5, 7]);
  expect(backlog.runs).toBe(2);
  backlog.want('acme');
  backlog.readAgain('acme', 1, 1);
  expect(backlog.nextWanted(2)).toBe(2);
  backlog.readAgain('globex', 2, 4);
  expect(backlog.nextWanted(2)).toBe(5);
  backlog.isGone(5, Number.POSITIVE_INFINITY);
  expect([backlog.has('acme'), backlog.runs, backlog.wanting]).toEqual([false, 0, false]);
});

test('more tenants with room than are read for at once have their turns', () => {
  const backlog = new Backlog(10_000, 0);
  const tenants = Array.from({ length: MAX_WANTING + 3 }, (_, i) => `t${i}`);
  for (const [offset, tenantId] of tenants.entries()) read(backlog, tenantId, [offset]);
  for (const tenantId of tenants) backlog.want(tenantId);
  expect(tenants.filter((tenantId) => backlog.wants(tenantId))).toHaveLength(MAX_WANTING);
  for (const [offset, tenantId] of tenants.entries()) {
    expect(backlog.wants(tenantId)).toBe(true);
    backlog.readAgain(tenantId, offset, offset);
  }
  expect([backlog.wanting, backlog.tenants]).toEqual([false, 0]);
});

test('more tenants than there may be runs make no search of each record, and hide none', () => {
  const backlog = new Backlog(1_000, 0);
  const [tenants, records] = [10_000, 40_000];
  const tenantOf = (offset: number) => `t${(offset * 7_919) % tenants}`;
  for (let offset = 0; offset < records; offset++) {
    backlog.passOver(tenantOf(offset), offset);
    backlog.read(tenantOf(offset), offset);
  }
  expect(backlog.runs).toBeLessThanOrEqual(2 * tenants);
  const tenant = tenantOf(13_337);
  backlog.want(tenant);
  for (let offset = 0; offset < records; offset++) {
    if (tenantOf(offset) === tenant) expect(backlog.nextWanted(offset)).toBe(offset);
  }
});
