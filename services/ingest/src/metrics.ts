import type { Metrics } from '@posthorn/runtime';
import type { OnceResult } from './accept/once/hold-claim.ts';

/** What the gauges ask when they are scraped. */
export interface Gauged {
  bufferedBytes(): number;
  bufferedRecords(): number;
  journalBufferedBytes(): number;
  requestsInFlight(): number;
  requestBytesInFlight(): number;
  cachedKeys(): number;
  rateWindows(): number;
  rateReplicas(): number;
  rateApart(): boolean;
  keyedWaiting(): number;
  eventTypes(): number;
  checksWaiting(): number;
  compiledSchemas(): number;
  testsWaiting(): number;
  handshakes(): number;
  databaseQuestions(): number;
  postgresUp(): boolean;
  kafkaUp(): boolean;
}

const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const PRODUCE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export interface IngestMetrics {
  /** `result` is `accepted` or the code of the problem. */
  countEvent(result: string): void;
  countPayloadBytes(bytes: number): void;
  countKeyed(result: OnceResult): void;
  countPayloadCheck(result: string): void;
  observeRequest(route: string, status: number, durationMs: number): void;
  observeProduce(outcome: string, durationMs: number): void;
  countShed(): void;
  /** A request of ours that the egress policy did not let out, by why. */
  countBlocked(why: string): void;
  countRefusedConnection(why: 'all' | 'client'): void;
  gaugeFrom(gauged: Gauged): void;
}

export function createIngestMetrics(metrics: Metrics): IngestMetrics {
  const events = metrics.counter('posthorn_ingest_events_total', 'Events posted, by what became of them.', [
    'result',
  ]);
  const bytes = metrics.counter('posthorn_ingest_accepted_bytes_total', 'Request bytes of accepted events.');
  const keyed = metrics.counter(
    'posthorn_ingest_keyed_events_total',
    'Events with an idempotency key or an id of their sender’s, by what became of them.',
    ['result'],
  );
  const checks = metrics.counter(
    'posthorn_ingest_payload_checks_total',
    'Payloads held to the schema of their type, by what came of it.',
    ['result'],
  );
  const refusedConnections = metrics.counter(
    'posthorn_ingest_refused_connections_total',
    'Connections that were closed at once because too many were open.',
    ['why'],
  );
  const blocked = metrics.counter(
    'posthorn_ingest_blocked_requests_total',
    'Handshakes that the egress policy did not let out, by why.',
    ['why'],
  );
  const shed = metrics.counter('posthorn_ingest_shed_requests_total', 'Requests turned away as overloaded.');
  const requests = metrics.histogram(
    'posthorn_ingest_request_duration_seconds',
    'Requests from their first byte to the end of their answer.',
    REQUEST_BUCKETS,
    ['route', 'status_class'],
  );
  const produces = metrics.histogram(
    'posthorn_ingest_produce_duration_seconds',
    'Produce requests to Kafka, by how they ended.',
    PRODUCE_BUCKETS,
    ['outcome'],
  );
  return {
    countEvent: (result) => events.inc({ result }),
    countPayloadBytes: (count) => bytes.inc(count),
    countKeyed: (result) => keyed.inc({ result }),
    countPayloadCheck: (result) => checks.inc({ result }),
    observeRequest: (route, status, durationMs) =>
      requests.observe({ route, status_class: `${Math.floor(status / 100)}xx` }, durationMs / 1_000),
    observeProduce: (outcome, durationMs) => produces.observe({ outcome }, durationMs / 1_000),
    countShed: () => shed.inc(),
    countBlocked: (why) => blocked.inc({ why }),
    countRefusedConnection: (why) => refusedConnections.inc({ why }),
    gaugeFrom: (gauged) => registerGauges(metrics, gauged),
  };
}

function registerGauges(metrics: Metrics, gauged: Gauged): void {
  metrics.gaugeOf('posthorn_ingest_buffered_bytes', 'Event bytes waiting for Kafka.', gauged.bufferedBytes);
  metrics.gaugeOf('posthorn_ingest_buffered_records', 'Events waiting for Kafka.', gauged.bufferedRecords);
  metrics.gaugeOf(
    'posthorn_ingest_journal_buffered_bytes',
    'Bytes of journal entries waiting for Kafka.',
    gauged.journalBufferedBytes,
  );
  metrics.gaugeOf('posthorn_ingest_requests_in_flight', 'Requests under way.', gauged.requestsInFlight);
  metrics.gaugeOf(
    'posthorn_ingest_request_bytes',
    'Body bytes of requests under way.',
    gauged.requestBytesInFlight,
  );
  metrics.gaugeOf('posthorn_ingest_cached_keys', 'API keys remembered.', gauged.cachedKeys);
  metrics.gaugeOf(
    'posthorn_ingest_rate_windows',
    'Tenants with a rate window in memory.',
    gauged.rateWindows,
  );
  metrics.gaugeOf(
    'posthorn_ingest_rate_replicas',
    'Live replicas that hold tenants to one event rate.',
    gauged.rateReplicas,
  );
  metrics.gaugeOf(
    'posthorn_ingest_rate_apart',
    '1 while each replica holds tenants to a share of their rate.',
    () => Number(gauged.rateApart()),
  );
  metrics.gaugeOf(
    'posthorn_ingest_keyed_waiting_requests',
    'Requests that wait for the outcome of another with the same key or id.',
    gauged.keyedWaiting,
  );
  metrics.gaugeOf(
    'posthorn_ingest_tests_waiting_requests',
    'Tests of webhooks that wait for their outcome.',
    gauged.testsWaiting,
  );
  metrics.gaugeOf(
    'posthorn_ingest_handshakes_requests',
    'Receivers that are being asked whether they want webhooks.',
    gauged.handshakes,
  );
  metrics.gaugeOf(
    'posthorn_ingest_database_questions',
    'Questions to Postgres under way or waiting for a connection.',
    gauged.databaseQuestions,
  );
  metrics.gaugeOf('posthorn_ingest_event_types', 'Types in the catalogue.', gauged.eventTypes);
  metrics.gaugeOf(
    'posthorn_ingest_payload_checks_waiting',
    'Payloads and new schemas that wait for their check or are in it.',
    gauged.checksWaiting,
  );
  metrics.gaugeOf(
    'posthorn_ingest_compiled_schemas',
    'Schemas that are held compiled, by all threads together.',
    gauged.compiledSchemas,
  );
  metrics.gaugeOf('posthorn_ingest_postgres_up', '1 when Postgres answered last.', () =>
    Number(gauged.postgresUp()),
  );
  metrics.gaugeOf('posthorn_ingest_kafka_up', '1 when Kafka answered last.', () => Number(gauged.kafkaUp()));
}
