import { databaseConfig, type Environment, readConfig } from '@posthorn/runtime';
import { secretsConfig } from '@posthorn/secrets';

/** The key ring is opened by the commands that need it: the others go without keys. */
export const spec = { ...databaseConfig(2), ...secretsConfig } as const;

/** @throws ConfigError */
export const readServiceConfig = (environment: Environment) => readConfig(spec, environment);

export type CliConfig = ReturnType<typeof readServiceConfig>;
