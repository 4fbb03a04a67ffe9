import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export type Keys = { readonly operatorKey: string; readonly secretsKey: string };

/** The keys of this machine's system, made once: what is in Postgres can only be read with them. */
export async function ensureKeys(file: string): Promise<Keys> {
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  if (kept) return JSON.parse(kept);
  const keys = {
    operatorKey: `phk_op_${randomBytes(24).toString('base64url')}`,
    secretsKey: randomBytes(32).toString('base64'),
  };
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(keys), { mode: 0o600 });
  return keys;
}

export type ServiceSettings = {
  readonly kafkaBrokers: string;
  readonly databaseUrl: string;
  readonly port: number;
  readonly keys: Keys;
  /** Networks that endpoints may be in although they are not public. */
  readonly allowedCidrs: string;
};

/** What all four services are given, on top of the caller's own environment. */
export function serviceEnvironment(settings: ServiceSettings): NodeJS.ProcessEnv {
  const { env } = process;
  return {
    ...env,
    ENVIRONMENT: env.ENVIRONMENT ?? 'development',
    KAFKA_BROKERS: settings.kafkaBrokers,
    DATABASE_URL: settings.databaseUrl,
    // The live lines are made of log lines of level info.
    LOG_LEVEL: env.LOG_LEVEL === 'debug' || env.LOG_LEVEL === 'trace' ? env.LOG_LEVEL : 'info',
    ADMIN_HOST: '127.0.0.1',
    ADMIN_PORT: '0',
    HOST: '127.0.0.1',
    PORT: String(settings.port),
    OPERATOR_KEY: settings.keys.operatorKey,
    SECRETS_KEY: env.SECRETS_KEY ?? settings.keys.secretsKey,
    EGRESS_ALLOWED_CIDRS: settings.allowedCidrs,
    OWN_HOSTS: env.OWN_HOSTS ?? `127.0.0.1:${settings.port},localhost:${settings.port}`,
  };
}
