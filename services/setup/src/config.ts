import { DEFAULT_TIERS, parseTiers } from '@posthorn/contracts';
import {
  databaseConfig,
  type Environment,
  integer,
  kafkaConfig,
  layoutConfig,
  readConfig,
} from '@posthorn/runtime';

export const spec = {
  ...kafkaConfig,
  ...databaseConfig(2),
  ...layoutConfig(parseTiers, DEFAULT_TIERS),
  waitTimeoutMs: integer('SETUP_WAIT_TIMEOUT_MS', {
    fallback: '30000',
    min: 0,
    max: 600_000,
    unit: 'ms',
    doc: 'How long the set-up job waits for Kafka and for Postgres to answer.',
  }),
} as const;

/** @throws ConfigError */
export const readServiceConfig = (environment: Environment) => readConfig(spec, environment);

export type SetupConfig = ReturnType<typeof readServiceConfig>;
