import { encodeDelivery, encodeEvent, laneOf, mintEventId, topicNames } from '@posthorn/contracts';
import { openDatabase } from '@posthorn/db';
import { connectKafka, createProducer, type OutboundRecord } from '@posthorn/kafka';
import type { Bench, BenchTenant, System } from './system.ts';

/** Records produced at once. */
const CHUNK_RECORDS = 10_000;
const PAYLOAD_BYTES = 1024;
const RETENTION_DAYS = 7;
const DELIVERY_TIMEOUT_MS = 60_000;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Puts deliveries into the lanes as the dispatcher would have, `records` of them, to all endpoints of each tenant in
 * turn: what takes the API minutes at the speed of a producer.
 */
export async function preloadDeliveries(
  bench: Bench,
  system: System,
  tenants: readonly BenchTenant[],
  records: number,
): Promise<void> {
  const kafka = connectKafka({ brokers: bench.brokers.split(','), clientId: 'bench' }, SILENT);
  const producer = createProducer(kafka, { deliveryTimeoutMs: DELIVERY_TIMEOUT_MS });
  await producer.start();
  const lanes = await lanesOf(system);
  const templates = tenants.map((tenant) => recordsOf(system, tenant, lanes.get(tenant.tenantId)!));
  const filler = 'x'.repeat(PAYLOAD_BYTES - 60);
  try {
    for (let sent = 0; sent < records; ) {
      const chunk: OutboundRecord[] = [];
      for (; chunk.length < CHUNK_RECORDS && sent < records; sent++) {
        chunk.push(...templates[sent % templates.length]!(sent, filler));
      }
      await producer.sendAll(chunk);
    }
  } finally {
    await producer.stop();
  }
}

/** As the database has them: a checkout from before the API told them can be measured too. */
async function lanesOf(system: System): Promise<Map<string, number[]>> {
  const database = openDatabase({ url: system.databaseUrl, pool: 1, applicationName: 'posthorn-bench' });
  const rows = await database.sql<
    { tenantId: string; lanes: number[] }[]
  >`select tenant_id, lanes from tenants`;
  await database.close();
  return new Map(rows.map(({ tenantId, lanes }) => [tenantId, lanes]));
}

/** Makes the records of one event of a tenant: one per lane that has endpoints of it. */
function recordsOf(system: System, tenant: BenchTenant, lanes: readonly number[]) {
  const slotsByLane = Map.groupBy(tenant.webhookIds, (id) => laneOf(id, lanes));
  const topic = topicNames(system.topicPrefix).deliveries;
  return (n: number, filler: string): OutboundRecord[] => {
    const nowMs = Date.now();
    const event = encodeEvent({
      eventId: mintEventId(nowMs),
      tenantId: tenant.tenantId,
      type: 'load.sent',
      labels: {},
      occurredAt: new Date(nowMs).toISOString(),
      contentType: 'application/json',
      revision: 1,
      retentionDays: RETENTION_DAYS,
      traceparent: '',
    });
    const value = Buffer.from(`{"due":${nowMs},"n":${n},"filler":"${filler}"}`);
    return [...slotsByLane].map(([lane, slots]) => ({
      topic,
      partition: lane,
      key: tenant.tenantId,
      value,
      headers: { ...event, ...encodeDelivery({ slots, run: 0, round: 0, attempt: 1, lane }) },
    }));
  };
}
