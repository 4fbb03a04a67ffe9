import {
  type AuditFilter,
  type AuditHead,
  type AuditPage,
  type AuditRow,
  type PoolSql,
  pageAuditLog,
  readAuditHead,
} from '@posthorn/db';

export interface AuditStore {
  page(filter: AuditFilter, page: AuditPage): Promise<AuditRow[]>;
  head(): Promise<AuditHead>;
}

export const openAuditStore = (pool: PoolSql): AuditStore => ({
  page: (filter, page) => pageAuditLog(pool, filter, page),
  head: () => readAuditHead(pool),
});
