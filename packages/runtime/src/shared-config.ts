import { choice, integer, parsed, text } from './config.ts';
import { kafkaAccessConfig } from './kafka-connection.ts';

/** What a default may be lax about. */
export const environmentConfig = {
  environment: choice('ENVIRONMENT', ['production', 'development'], {
    fallback: 'production',
    doc: 'In `production` keys that are public, those of infra/compose.yaml, stop the start.',
  }),
} as const;

/** Keys that more than one service reads; a service spreads the groups it needs into its own spec. */
export const telemetryConfig = {
  logLevel: choice('LOG_LEVEL', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    fallback: 'info',
    doc: 'Least severe level that is logged.',
  }),
  otlpEndpoint: text('OTEL_EXPORTER_OTLP_ENDPOINT', {
    fallback: 'off',
    expected: 'an http(s) URL of an OTLP collector, or off',
    pattern: /^(off|https?:\/\/\S+)$/,
    doc: 'Where spans are sent (OTLP over HTTP). `off` keeps only the propagation of `traceparent`.',
  }),
  traceSamplePercent: integer('TRACE_SAMPLE_PERCENT', {
    fallback: '1',
    min: 0,
    max: 100,
    unit: '%',
    doc: 'Share of traces that are started here and recorded; an incoming sampled `traceparent` is always followed.',
  }),
} as const;

export const adminConfig = (fallbackPort: number) =>
  ({
    adminHost: text('ADMIN_HOST', {
      fallback: '127.0.0.1',
      doc: 'Address of the admin server: health and metrics.',
    }),
    adminPort: integer('ADMIN_PORT', {
      fallback: String(fallbackPort),
      min: 0,
      max: 65_535,
      doc: 'Port of the admin server (`/livez`, `/readyz`, `/health`, `/metrics`); 0 takes any free one.',
    }),
  }) as const;

export const kafkaConfig = {
  ...kafkaAccessConfig,
  topicPrefix: text('KAFKA_TOPIC_PREFIX', {
    fallback: 'posthorn.',
    pattern: /^[a-zA-Z0-9._-]{0,60}$/,
    expected: 'up to 60 of letters, digits, ".", "_" and "-"',
    doc: 'Put before every topic and consumer group, so that several systems can share a cluster.',
  }),
} as const;

/** The shape of the topics: the set-up job creates it, every service must be given the same. */
export const layoutConfig = <T>(parseTiers: (value: string) => T, defaultTiers: string) =>
  ({
    lanes: integer('LANES', {
      fallback: '16',
      min: 1,
      max: 1024,
      unit: 'partitions',
      doc: 'Partitions of `deliveries`. A tenant is pinned to one of them (64 in production, 16 on a laptop).',
    }),
    eventPartitions: integer('EVENT_PARTITIONS', {
      fallback: '4',
      min: 1,
      max: 1024,
      unit: 'partitions',
      doc: 'Partitions of `events`. Few: each one that has something costs every fetch a piece of its answer.',
    }),
    journalPartitions: integer('JOURNAL_PARTITIONS', {
      fallback: '2',
      min: 1,
      max: 256,
      unit: 'partitions',
      doc: 'Partitions of `journal`, `dead-letters` and `replay`.',
    }),
    inboundPartitions: integer('INBOUND_PARTITIONS', {
      fallback: '0',
      min: 0,
      max: 1024,
      unit: 'partitions',
      doc: 'Partitions of `inbound`, from which events of your own producers are taken; 0: there is no such topic.',
    }),
    tiers: parsed('RETRY_TIERS', 'ascending delays such as 1s,4s,16s', parseTiers, {
      fallback: defaultTiers,
      doc: 'The retry topics, one fixed delay each.',
    }),
    replicationFactor: integer('KAFKA_REPLICATION_FACTOR', {
      fallback: '1',
      min: 1,
      max: 9,
      unit: 'replicas',
      doc: 'Replicas of every topic: 3 in production.',
    }),
    minInSyncReplicas: integer('KAFKA_MIN_INSYNC_REPLICAS', {
      fallback: '1',
      min: 1,
      max: 9,
      unit: 'replicas',
      doc: 'Replicas that must have a record before it is acknowledged: 2 in production.',
    }),
  }) as const;

/** How signed requests are told apart from others: ingest shows them as the worker sends them. */
export const signatureConfig = {
  signatureHeaderPrefix: text('SIGNATURE_HEADER_PREFIX', {
    fallback: 'webhook',
    pattern: /^(?=.{1,32}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$/,
    expected: 'up to 32 lower case letters and digits, with "-" between them',
    doc: 'What the names of the headers begin with that requests are signed by: `webhook-signature`, `x-webhook-signature`. The same for ingest and worker.',
  }),
} as const;
