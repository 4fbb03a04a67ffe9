import { queryRollups, type RollupGroup, type RollupQuery, type Sql } from '@posthorn/db';

export interface AnalyticsStore {
  queryRollups(query: RollupQuery): Promise<RollupGroup[]>;
}

export const openAnalyticsStore = (sql: Sql): AnalyticsStore => ({
  queryRollups: (query) => queryRollups(sql, query),
});
