import { DEFAULT_TIERS, parseTiers } from '@posthorn/contracts';
import {
  databaseConfig,
  type Environment,
  integer,
  kafkaConfig,
  layoutConfig,
  readConfig,
  text,
} from '@posthorn/runtime';

export const spec = {
  ...kafkaConfig,
  ...databaseConfig(2),
  ...layoutConfig(parseTiers, DEFAULT_TIERS),
  databaseRolePrefix: text('DATABASE_ROLE_PREFIX', {
    fallback: 'posthorn_',
    pattern: /^(off|[a-z][a-z0-9_]{0,40}_)$/,
    expected: 'off, or up to 42 of a-z, 0-9 and "_" that end in "_"',
    doc: 'Put before `ingest`, `dispatcher`, `worker` and `recorder`, it names the database roles that the set-up job makes and whose rights it sets: another one for every installation on a server. `off`: roles are left as they are.',
  }),
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
