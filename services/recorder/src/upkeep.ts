import {
  type PoolSql,
  removeDonePurges,
  removeExpiredCancellations,
  removeFinishedJobs,
  removeOldRemovals,
  removePublished,
  removeQuietHealth,
  removeReplacedRequests,
  removeStaleCircuits,
  removeStaleLoad,
} from '@posthorn/db';

/** Removes what tables outside of the day partitions keep for nobody. */
export async function removeOldRows(sql: PoolSql): Promise<void> {
  await removeExpiredCancellations(sql);
  await removeDonePurges(sql);
  await removePublished(sql);
  await removeFinishedJobs(sql);
  await removeOldRemovals(sql);
  await removeQuietHealth(sql);
  await removeStaleLoad(sql);
  await removeStaleCircuits(sql);
  await removeReplacedRequests(sql);
}
