import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TenantId } from '@posthorn/contracts';
import type { TenantRow } from '@posthorn/db';

export const MAX_TENANTS_PER_LOAD = 200;
export const MAX_WAITING_LOADS = 10_000;

export type Loaded =
  | { readonly kind: 'row'; readonly row: TenantRow }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly reason: string };

interface Pending {
  /** What is read before this revision was there is too old and read again. */
  floor: number;
  readonly done: Promise<Loaded>;
  resolve(loaded: Loaded): void;
}

/**
 * Loads tenants in batches: what is asked for in one turn of the event loop, or while a query is under way, is one
 * query. One query at a time. A tenant is loading (queued or sent) until its row is at least as new as its floor.
 */
export interface TenantLoader {
  load(tenantId: TenantId, floor: number): Promise<Loaded>;
  /** Raises the floor of a load under way. */
  requireRevision(tenantId: TenantId, revision: number): void;
  readonly waiting: number;
}

export function createTenantLoader(
  query: (tenantIds: readonly TenantId[]) => Promise<readonly TenantRow[]>,
): TenantLoader {
  const pending = new Map<TenantId, Pending>();
  const queue = new Set<TenantId>();
  let working = false;

  async function work(): Promise<void> {
    if (working) return;
    working = true;
    await nextTurn();
    while (queue.size > 0) {
      const batch = [...queue].slice(0, MAX_TENANTS_PER_LOAD);
      for (const tenantId of batch) queue.delete(tenantId);
      await loadBatch(batch);
    }
    working = false;
  }

  async function loadBatch(batch: readonly TenantId[]): Promise<void> {
    const floors = batch.map((tenantId) => pending.get(tenantId)!.floor);
    try {
      const rows = new Map((await query(batch)).map((row) => [row.tenantId, row]));
      batch.forEach((tenantId, i) => {
        settle(tenantId, rows.get(tenantId), floors[i]!);
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      for (const tenantId of batch) finish(tenantId, { kind: 'failed', reason });
    }
  }

  function settle(tenantId: TenantId, row: TenantRow | undefined, floorAtSend: number): void {
    const { floor } = pending.get(tenantId)!;
    // A change that was seen after the query had been sent may be missing in its answer.
    if (floor > floorAtSend && (row === undefined || row.revision < floor)) queue.add(tenantId);
    else finish(tenantId, row === undefined ? { kind: 'absent' } : { kind: 'row', row });
  }

  function finish(tenantId: TenantId, loaded: Loaded): void {
    const entry = pending.get(tenantId)!;
    pending.delete(tenantId);
    entry.resolve(loaded);
  }

  return {
    load(tenantId, floor) {
      const present = pending.get(tenantId);
      if (present !== undefined) {
        present.floor = Math.max(present.floor, floor);
        return present.done;
      }
      if (pending.size >= MAX_WAITING_LOADS)
        return Promise.resolve({ kind: 'failed', reason: `${MAX_WAITING_LOADS} loads are waiting` });
      const { promise, resolve } = Promise.withResolvers<Loaded>();
      pending.set(tenantId, { floor, done: promise, resolve });
      queue.add(tenantId);
      void work();
      return promise;
    },
    requireRevision(tenantId, revision) {
      const present = pending.get(tenantId);
      if (present !== undefined) present.floor = Math.max(present.floor, revision);
    },
    get waiting() {
      return pending.size;
    },
  };
}
