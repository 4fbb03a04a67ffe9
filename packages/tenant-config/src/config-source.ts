import {
  changesSince,
  currentSequence,
  type Database,
  DatabaseTimeoutError,
  loadTenants,
  pollReplica,
  type ReplicaPoll,
  removeReplica,
  type TenantRow,
  within,
} from '@posthorn/db';

/** Where configuration comes from: Postgres, or a test. Every call is bounded in time. */
export interface ConfigSource {
  sequence(): Promise<number>;
  /** Reads the changes after `applied`; a replica reports `applied` with the same statement. */
  poll(applied: number): Promise<ReplicaPoll>;
  load(tenantIds: readonly string[]): Promise<readonly TenantRow[]>;
  leave(): Promise<void>;
}

export const POLL_TIMEOUT_MS = 1_500;
export const LOAD_TIMEOUT_MS = 5_000;

/** With a `replicaId` it reports as a replica of ingest. */
export function databaseSource({ sql }: Pick<Database, 'sql'>, replicaId?: string): ConfigSource {
  const sequence = oneAtATime(POLL_TIMEOUT_MS, () => currentSequence(sql));
  const poll = oneAtATime(POLL_TIMEOUT_MS, async (applied: number): Promise<ReplicaPoll> => {
    if (replicaId !== undefined) return pollReplica(sql, { replicaId, applied });
    return { ...(await changesSince(sql, applied)), appliedByOthers: null };
  });
  const load = oneAtATime(LOAD_TIMEOUT_MS, (tenantIds: readonly string[]) => loadTenants(sql, tenantIds));
  return {
    sequence: () => sequence(undefined),
    poll,
    load,
    async leave() {
      if (replicaId !== undefined) await within(POLL_TIMEOUT_MS, removeReplica(sql, replicaId));
    },
  };
}

/** Bounds a query's time. One that hangs is not joined by others: until it has settled, calls fail at once. */
function oneAtATime<A, T>(
  timeoutMs: number,
  query: (argument: A) => Promise<T>,
): (argument: A) => Promise<T> {
  let hanging = false;
  return async (argument) => {
    if (hanging) throw new DatabaseTimeoutError('the query before has no answer yet');
    let settled = false;
    const answer = query(argument).finally(() => {
      settled = true;
      hanging = false;
    });
    try {
      return await within(timeoutMs, answer);
    } finally {
      hanging = !settled;
    }
  };
}
