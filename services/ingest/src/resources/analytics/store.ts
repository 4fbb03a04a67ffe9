import { type PoolSql, queryRollups, type RollupGroup, type RollupQuery } from '@posthorn/db';

export interface AnalyticsStore {
  queryRollups(query: RollupQuery): Promise<RollupGroup[]>;
}

export const openAnalyticsStore = (sql: PoolSql): AnalyticsStore => ({
  queryRollups: (query) => queryRollups(sql, query),
});
