import { databaseConfig, type Environment, readConfig } from '@posthorn/runtime';

export const spec = { ...databaseConfig(2) } as const;

/** @throws ConfigError */
export const readServiceConfig = (environment: Environment) => readConfig(spec, environment);
