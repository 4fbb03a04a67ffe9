import { DATABASE_FILE, KEYS_FILE } from './files.ts';
import type { Keys } from './settings.ts';

type ReadFile = (name: string) => string | undefined;

/**
 * What the command line is started with: the caller's environment, and where that names no Postgres the one of the
 * system in `.posthorn`, with the key that its services have.
 */
export function commandEnvironment(env: NodeJS.ProcessEnv, readFile: ReadFile): NodeJS.ProcessEnv {
  if (env.DATABASE_URL || env.DATABASE_URL_FILE) return env;
  const databaseUrl = readFile(DATABASE_FILE);
  const keys = readFile(KEYS_FILE);
  const secretsKey = keys === undefined ? undefined : (JSON.parse(keys) as Keys).secretsKey;
  return {
    ...env,
    DATABASE_URL: databaseUrl,
    SECRETS_KEY: env.SECRETS_KEY ?? (env.SECRETS_KEY_FILE ? undefined : secretsKey),
  };
}
