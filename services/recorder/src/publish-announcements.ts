import { encodeEvent, OPERATOR_TENANT_ID, type TopicNames, tenantPartition } from '@posthorn/contracts';
import {
  findTenant,
  inTransaction,
  markPublished,
  type OperationalEventRow,
  type PoolSql,
  takeUnpublished,
} from '@posthorn/db';
import type { OutboundRecord, Producer } from '@posthorn/kafka';

/** Events that one transaction publishes. */
export const MAX_EVENTS_PUBLISHED = 200;
const OPERATIONAL_RETENTION_DAYS = 30;

export interface PublishOptions {
  readonly sql: PoolSql;
  readonly producer: Pick<Producer, 'sendAll'>;
  readonly topics: Pick<TopicNames, 'events'>;
  readonly eventPartitions: number;
}

/**
 * Publishes what waits to be told to the operator, as events of the operator's own tenant; gives back how many. Each
 * keeps its id until it is marked: after a crash in between it is published again and is the same event.
 */
export async function publishAnnouncements(options: PublishOptions): Promise<number> {
  return inTransaction(options.sql, async (transaction) => {
    const rows = await takeUnpublished(transaction, MAX_EVENTS_PUBLISHED);
    if (rows.length === 0) return 0;
    const operator = await findTenant(transaction, OPERATOR_TENANT_ID);
    const revision = operator?.revision ?? 0;
    await options.producer.sendAll(rows.map((row) => toRecord(options, row, revision)));
    await markPublished(
      transaction,
      rows.map((row) => row.eventId),
    );
    return rows.length;
  });
}

function toRecord(options: PublishOptions, row: OperationalEventRow, revision: number): OutboundRecord {
  return {
    topic: options.topics.events,
    partition: tenantPartition(OPERATOR_TENANT_ID, options.eventPartitions),
    key: OPERATOR_TENANT_ID,
    value: Buffer.from(JSON.stringify(row.payload)),
    headers: encodeEvent({
      eventId: row.eventId,
      tenantId: OPERATOR_TENANT_ID,
      type: row.type,
      labels: {},
      occurredAt: row.createdAt.toISOString(),
      contentType: 'application/json',
      revision,
      retentionDays: OPERATIONAL_RETENTION_DAYS,
      traceparent: '',
    }),
  };
}
