import {
  type AuditFilter,
  type AuditHead,
  type AuditPage,
  type AuditRow,
  pageAuditLog,
  readAuditHead,
  type Sql,
} from '@posthorn/db';

export interface AuditStore {
  page(filter: AuditFilter, page: AuditPage): Promise<AuditRow[]>;
  head(): Promise<AuditHead>;
}

export const openAuditStore = (pool: Sql): AuditStore => ({
  page: (filter, page) => pageAuditLog(pool, filter, page),
  head: () => readAuditHead(pool),
});
