import {
  changesSince,
  currentSequence,
  type Database,
  DatabaseTimeoutError,
  loadTenants,
  type OthersCounts,
  type PoolSql,
  pollReplica,
  type RateReport,
  type ReplicaPoll,
  removeReplica,
  type TenantRow,
  within,
} from '@posthorn/db';
import type { Clock } from '@posthorn/runtime';

/** What a replica says and hears of event rates, in the statement that reads its changes. */
export interface RateExchange {
  /** By the monotonic clock. */
  report(nowMs: number): RateReport;
  /** The answer; times are by the monotonic clock. Comes not at all when the statement failed. */
  read(answer: RateReading): void;
}

export interface RateReading {
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  /** Postgres' clock, at some time between the two. */
  readonly nowMs: number;
  /** Other live replicas. */
  readonly others: number;
  readonly rates: readonly OthersCounts[];
}

export interface ReplicaOptions {
  readonly replicaId: string;
  readonly rates?: RateExchange | undefined;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

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

/** With a `replica` it reports as that one of ingest. */
export function databaseSource(
  { sql }: Pick<Database, 'sql'>,
  { replica, withSecrets = true }: { replica?: ReplicaOptions | undefined; withSecrets?: boolean } = {},
): ConfigSource {
  const sequence = oneAtATime(POLL_TIMEOUT_MS, () => currentSequence(sql));
  const poll = oneAtATime(POLL_TIMEOUT_MS, async (applied: number): Promise<ReplicaPoll> => {
    if (replica !== undefined) return pollAs(sql, replica, applied);
    return { ...(await changesSince(sql, applied)), appliedByOthers: null };
  });
  const load = oneAtATime(LOAD_TIMEOUT_MS, (tenantIds: readonly string[]) =>
    loadTenants(sql, tenantIds, withSecrets),
  );
  return {
    sequence: () => sequence(undefined),
    poll,
    load,
    async leave() {
      if (replica !== undefined) await within(POLL_TIMEOUT_MS, removeReplica(sql, replica.replicaId));
    },
  };
}

async function pollAs(sql: PoolSql, replica: ReplicaOptions, applied: number): Promise<ReplicaPoll> {
  const { replicaId, rates, clock } = replica;
  const sentAtMs = clock.monotonicMs();
  const report = rates?.report(sentAtMs);
  const read = await pollReplica(sql, { replicaId, applied, ...(report ? { rates: report } : {}) });
  rates?.read({ sentAtMs, receivedAtMs: clock.monotonicMs(), ...read });
  return read;
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
