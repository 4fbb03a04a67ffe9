import {
  keptDays,
  type PoolSql,
  removeDonePurges,
  removeExpiredCancellations,
  removeFinishedJobs,
  removeOldAttemptDays,
  removeOldExpunges,
  removeOldRemovals,
  removeOldRollups,
  removePublished,
  removeQuietHealth,
  removeReplacedRequests,
  removeStaleCircuits,
  removeStaleLoad,
  removeStaleRateCounts,
} from '@posthorn/db';

/** Removes what tables outside of the day partitions keep for nobody. */
export async function removeOldRows(sql: PoolSql, nowMs: number): Promise<void> {
  await removeExpiredCancellations(sql);
  await removeDonePurges(sql);
  await removePublished(sql);
  await removeFinishedJobs(sql);
  await removeOldRemovals(sql);
  await removeOldRollups(sql);
  await removeOldExpunges(sql);
  await removeOldAttemptDays(sql, keptDays(nowMs).from);
  await removeQuietHealth(sql);
  await removeStaleLoad(sql);
  await removeStaleRateCounts(sql);
  await removeStaleCircuits(sql);
  await removeReplacedRequests(sql);
}
