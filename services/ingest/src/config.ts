import { isIP } from 'node:net';
import { DEFAULT_TIERS, parseTiers } from '@posthorn/contracts';
import { egressGrammar } from '@posthorn/egress';
import {
  adminConfig,
  ConfigError,
  type ConfigOf,
  choice,
  databaseConfig,
  type Environment,
  egressConfig,
  integer,
  kafkaConfig,
  layoutConfig,
  parsed,
  readConfig,
  secret,
  signatureConfig,
  telemetryConfig,
  text,
} from '@posthorn/runtime';
import { secretsConfig, type WithKeyRing, withKeyRing } from '@posthorn/secrets';
import { parseOrigins } from './http/allow-origins.ts';

const ADMIN_PORT = 9_400;
const DATABASE_POOL = 10;
const MIN_OPERATOR_KEY_CHARS = 16;
/** That of infra/compose.yaml. */
const PUBLIC_OPERATOR_KEY = 'dev-only-operator-key';
const OPERATOR_KEY = /^[A-Za-z0-9._~+/=-]{16,256}$/;

/** @throws Error naming what is no block. */
function parseProxies(text: string): readonly string[] {
  const blocks = text.split(',').map((part) => part.trim());
  const given = blocks.filter((block) => block !== '');
  for (const block of given) {
    const [address = '', bits, ...rest] = block.split('/');
    const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
    const isBits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most);
    if (most < 0 || !isBits || rest.length > 0) throw new Error(`"${block}" is none`);
  }
  return Object.freeze(given);
}

export const spec = {
  ...telemetryConfig,
  ...adminConfig(ADMIN_PORT),
  ...kafkaConfig,
  ...databaseConfig(DATABASE_POOL),
  databaseLookupPool: integer('DATABASE_LOOKUP_POOL', {
    fallback: '3',
    min: 1,
    max: 20,
    unit: 'connections',
    doc: 'Further connections to Postgres, for API keys and configuration alone: changes never wait in front of them.',
  }),
  databaseClaimPool: integer('DATABASE_CLAIM_POOL', {
    fallback: '4',
    min: 1,
    max: 50,
    unit: 'connections',
    doc: 'Further connections to Postgres, for events with an idempotency key or a client event id alone; opened when the first one comes.',
  }),
  idempotencyWaitMs: integer('IDEMPOTENCY_WAIT_MS', {
    fallback: '5000',
    min: 0,
    max: 60_000,
    unit: 'ms',
    doc: 'How long an event waits for the outcome of another with the same key or id before it is answered 409.',
  }),
  idempotencyMarginMs: integer('IDEMPOTENCY_MARGIN_MS', {
    fallback: '5000',
    min: 100,
    max: 60_000,
    unit: 'ms',
    doc: 'How much longer than `PRODUCE_TIMEOUT_MS` a key is held for the request that has it: half is for Postgres to hold it, half for what Kafka has not appended yet when the produce is given up.',
  }),
  ...layoutConfig(parseTiers, DEFAULT_TIERS),
  ...signatureConfig,
  host: text('HOST', { fallback: '127.0.0.1', doc: 'Address of the API.' }),
  port: integer('PORT', {
    fallback: '3000',
    min: 0,
    max: 65_535,
    doc: 'Port of the API; 0 takes any free one.',
  }),
  operatorKey: secret('OPERATOR_KEY', {
    fallback: '',
    expected: `at least ${MIN_OPERATOR_KEY_CHARS} of letters, digits and ._~+/=-`,
    doc: 'An operator key that is made to exist at the start. Not needed once there is one.',
    check: (value) => {
      if (value !== '' && !OPERATOR_KEY.test(value)) throw new Error();
    },
  }),
  ...secretsConfig,
  ...egressConfig(egressGrammar),
  endpointVerification: choice('ENDPOINT_VERIFICATION', ['off', 'required'], {
    fallback: 'off',
    doc: 'Whether the receiver of a webhook has to agree before it gets events.',
  }),
  verificationOrigin: text('VERIFICATION_ORIGIN', {
    fallback: 'posthorn',
    pattern: /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/,
    expected: 'a DNS name',
    doc: 'Who asks, in the handshake of CloudEvents (`WebHook-Request-Origin`): the name that your customers know you by.',
  }),
  trustedProxies: parsed('TRUSTED_PROXIES', 'addresses and CIDR blocks, comma-separated', parseProxies, {
    fallback: '',
    doc: 'Proxies whose `X-Forwarded-For` is believed, for the client addresses of the audit log. None: the address of the connection.',
  }),
  allowedOrigins: parsed(
    'CORS_ALLOWED_ORIGINS',
    'origins such as https://portal.example, comma-separated',
    parseOrigins,
    {
      fallback: '',
      doc: 'Origins whose pages may call the API from a browser, with a portal token. None: no page may.',
    },
  ),
  produceTimeoutMs: integer('PRODUCE_TIMEOUT_MS', {
    fallback: '5000',
    min: 100,
    max: 60_000,
    unit: 'ms',
    doc: 'How long Kafka may take to acknowledge an event before the sender is told 503.',
  }),
  maxBufferedBytes: integer('MAX_BUFFERED_BYTES', {
    fallback: '33554432',
    min: 1_048_576,
    max: 1_073_741_824,
    unit: 'bytes',
    doc: 'Event bytes that wait for Kafka; beyond them events are answered 503 not_accepted.',
  }),
  maxRequestsInFlight: integer('MAX_REQUESTS_IN_FLIGHT', {
    fallback: '2000',
    min: 1,
    max: 100_000,
    unit: 'requests',
    doc: 'Requests under way, of which one tenant has half at most; beyond them requests are answered 503 overloaded.',
  }),
  maxRequestBytesInFlight: integer('MAX_REQUEST_BYTES_IN_FLIGHT', {
    fallback: '67108864',
    min: 1_048_576,
    max: 1_073_741_824,
    unit: 'bytes',
    doc: 'Body bytes of requests under way, of which one tenant has half at most; beyond them requests are answered 503 overloaded.',
  }),
  maxConnections: integer('MAX_CONNECTIONS', {
    fallback: '5000',
    min: 1,
    max: 100_000,
    unit: 'connections',
    doc: 'Open client connections, of which one address has half at most unless it is one of `TRUSTED_PROXIES`; more are closed at once.',
  }),
  maxCachedEndpoints: integer('MAX_CACHED_ENDPOINTS', {
    fallback: '100000',
    min: 100,
    max: 10_000_000,
    unit: 'endpoints',
    doc: 'Bound of the configuration cache; tenants used least recently go first.',
  }),
  maxCachedKeys: integer('MAX_CACHED_KEYS', {
    fallback: '10000',
    min: 100,
    max: 1_000_000,
    unit: 'keys',
    doc: 'API keys remembered between lookups.',
  }),
  maxTestWaitMs: integer('MAX_TEST_WAIT_MS', {
    fallback: '10000',
    min: 0,
    max: 10_000,
    unit: 'ms',
    doc: 'How long the test of a webhook waits for its outcome before it is answered with 202.',
  }),
  configMaxAgeMs: integer('CONFIG_MAX_AGE_MS', {
    fallback: '3600000',
    min: 1_000,
    max: 86_400_000,
    unit: 'ms',
    doc: 'How long cached tenants and keys are believed while Postgres is away.',
  }),
} as const;

export type IngestConfig = WithKeyRing<ConfigOf<typeof spec>>;

/** @throws ConfigError */
export function readServiceConfig(environment: Environment): IngestConfig {
  const config = withKeyRing(readConfig(spec, environment));
  if (config.operatorKey === PUBLIC_OPERATOR_KEY && config.environment === 'production')
    throw new ConfigError([
      'OPERATOR_KEY=(redacted) is public: expected a key of your own, or ENVIRONMENT=development',
    ]);
  return config;
}
