import postgres from 'postgres';

/** The secured side of the test run's Kafka and Postgres: paths of PEM files, addresses, accounts. */
export interface SecuredInfra {
  readonly caFile: string;
  /** Of a client that Kafka and Postgres know by its certificate, under this name. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly certificateName: string;
  /** Wants a client certificate. */
  readonly kafkaByCertificate: string;
  /** Wants an account, by any mechanism. */
  readonly kafkaByAccount: string;
  readonly accounts: Readonly<Record<'setup' | 'ingest' | 'dispatcher' | 'worker' | 'recorder', string>>;
  /** Of every account. */
  readonly password: string;
}

/** Undefined where Kafka and Postgres were given, or run in containers: tests that need it are skipped there. */
export function securedInfra(): SecuredInfra | undefined {
  const given = process.env.POSTHORN_SECURED_INFRA;
  return given ? (JSON.parse(given) as SecuredInfra) : undefined;
}

/** The same database for a role that Postgres takes over TLS alone. */
export async function overTlsOnly(url: string, { password }: SecuredInfra): Promise<string> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(`create role tls_system superuser login password '${password}'`).catch(() => {});
  } finally {
    await sql.end();
  }
  const its = new URL(url);
  its.username = 'tls_system';
  its.password = encodeURIComponent(password);
  return its.href;
}

export interface SeenConnection {
  /** The service's, as it calls itself. */
  readonly name: string;
  readonly user: string;
  readonly tls: string | null;
}

/** Who is connected to the database, and how, as Postgres sees it. */
export async function connectionsOf(url: string): Promise<SeenConnection[]> {
  const sql = postgres(url, {
    max: 1,
    onnotice: () => {},
    connection: { application_name: 'connections-of' },
  });
  try {
    return await sql<SeenConnection[]>`
      select distinct application_name as name, usename as user, version as tls
      from pg_stat_activity join pg_stat_ssl using (pid)
      where datname = current_database() and pid <> pg_backend_pid() order by name`;
  } finally {
    await sql.end();
  }
}
