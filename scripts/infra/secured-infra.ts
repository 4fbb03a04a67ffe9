import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAuthority, freePort, type SecuredInfra } from '@posthorn/testkit';
import type { SecuredListeners } from './kafka-settings.ts';

/** What the broker and the database of a test run offer beside their plain ports: one of each serves all tests. */
export type SecuredServers = {
  readonly infra: SecuredInfra;
  readonly kafka: SecuredListeners;
  readonly postgres: {
    readonly settings: Readonly<Record<string, string>>;
    /** Put into its data folder. */
    readonly files: Readonly<Record<string, string>>;
  };
};

const ACCOUNTS = {
  setup: 'posthorn-setup',
  ingest: 'posthorn-ingest',
  dispatcher: 'posthorn-dispatcher',
  worker: 'posthorn-worker',
  recorder: 'posthorn-recorder',
} as const;
/** What a parser of settings, of URLs or of SASL messages may stumble over. */
const PASSWORD = 'a,b=c%41 d/e@f:g';
const CERTIFICATE_NAME = 'cert_posthorn';
/** Roles that begin with `tls_` come over TLS alone, those with `cert_` by a client certificate of their name. */
const HOST_RULES = `hostssl all /^cert_ 127.0.0.1/32 cert
hostssl all /^tls_ 127.0.0.1/32 scram-sha-256
host all /^tls_ 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
`;

/** Makes the certificates and accounts of one test run; what clients need lies in `dir`. */
export async function secureInfra(dir: string): Promise<SecuredServers> {
  const folder = join(dir, 'tls');
  await mkdir(folder, { recursive: true });
  const put = async (name: string, text: string) => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const authority = createAuthority();
  const server = (addresses: string[]) => {
    const { certificate, key } = authority.issue({ name: 'server', names: ['localhost'], addresses });
    return { certificate, key, both: `${key}${certificate}` };
  };
  const client = authority.issue({ name: CERTIFICATE_NAME });
  const database = server(['127.0.0.1']);
  const caFile = await put('ca.pem', authority.certificate);
  const kafka: SecuredListeners = {
    byCertificate: { port: await freePort(), keystore: await put('a.pem', server(['127.0.0.1']).both) },
    // For no address: who connects by one is to find that the certificate is for another name.
    byAccount: { port: await freePort(), keystore: await put('b.pem', server([]).both) },
    truststore: caFile,
    users: Object.values(ACCOUNTS),
    password: PASSWORD,
  };
  return {
    kafka,
    postgres: {
      settings: { ssl: 'on', ssl_ca_file: 'root.crt' },
      files: {
        'server.crt': database.certificate,
        'server.key': database.key,
        'root.crt': authority.certificate,
        'pg_hba.conf': HOST_RULES,
      },
    },
    infra: {
      caFile,
      certFile: await put('client.pem', client.certificate),
      keyFile: await put('client.key', client.key),
      certificateName: CERTIFICATE_NAME,
      kafkaByCertificate: `127.0.0.1:${kafka.byCertificate.port}`,
      kafkaByAccount: `localhost:${kafka.byAccount.port}`,
      accounts: ACCOUNTS,
      password: PASSWORD,
    },
  };
}

const SCRAM = { 'SCRAM-SHA-256': ['sha256', 32], 'SCRAM-SHA-512': ['sha512', 64] } as const;
const ITERATIONS = 4_096;

/** Arguments of Kafka's format: salted here, because its own parser splits a password at commas. */
export function scramArguments({ users, password }: SecuredListeners): string[] {
  return Object.entries(SCRAM).flatMap(([mechanism, [digest, bytes]]) =>
    users.flatMap((name) => {
      const salt = randomBytes(16);
      const salted = pbkdf2Sync(password, salt, ITERATIONS, bytes, digest);
      const fields = [
        `name=${name}`,
        `salt="${salt.toString('base64')}"`,
        `saltedpassword="${salted.toString('base64')}"`,
        `iterations=${ITERATIONS}`,
      ];
      return ['--add-scram', `${mechanism}=[${fields.join()}]`];
    }),
  );
}
