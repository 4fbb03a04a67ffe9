import { type ClientTls, PEM_FILE, readClientTls, refuseFiles } from './client-tls.ts';
import { ConfigError, choice, integer, secret, text } from './config.ts';
import { type ExplainRefusal, explainTls } from './explain-refusal.ts';

export const databaseConfig = (fallbackPool: number) =>
  ({
    databaseUrl: secret('DATABASE_URL', {
      fallback: 'postgres://posthorn:posthorn@127.0.0.1:5432/posthorn',
      expected: 'a postgres:// URL (with what is special in user and password percent-encoded)',
      doc: 'Postgres: configuration and the record.',
      check: checkDatabaseUrl,
    }),
    databasePool: integer('DATABASE_POOL', {
      fallback: String(fallbackPool),
      min: 1,
      max: 100,
      unit: 'connections',
      doc: 'Most connections to Postgres that this process opens.',
    }),
    databaseRole: text('DATABASE_ROLE', {
      fallback: '',
      pattern: /^([a-z_][a-z0-9_]{0,62})?$/,
      expected: 'the name of a database role',
      doc: 'Role that statements run as, such as `posthorn_worker`; the login must be a member of it. Empty: with the rights of the login itself.',
    }),
    databaseTls: choice('DATABASE_TLS', ['by-url', 'off', 'require', 'verify-full'], {
      fallback: 'by-url',
      doc: 'Whether Postgres is spoken to over TLS: `verify-full` wants a certificate for the name of the server, `require` takes any (safe from listeners, not from impostors), `by-url` does what `sslmode` in `DATABASE_URL` says.',
    }),
    databaseCaFile: text('DATABASE_CA_FILE', {
      fallback: '',
      expected: PEM_FILE,
      doc: "Authorities that may have signed the server's certificate; without it those that Node trusts.",
    }),
    databaseCertFile: text('DATABASE_CERT_FILE', {
      fallback: '',
      expected: PEM_FILE,
      doc: 'Client certificate, where Postgres knows its users by theirs.',
    }),
    databaseKeyFile: text('DATABASE_KEY_FILE', {
      fallback: '',
      expected: PEM_FILE,
      doc: 'Private key of the client certificate, without a passphrase.',
    }),
  }) as const;

export interface DatabaseAccess {
  readonly databaseUrl: string;
  readonly databasePool: number;
  readonly databaseRole: string;
  readonly databaseTls: 'by-url' | TlsMode;
  readonly databaseCaFile: string;
  readonly databaseCertFile: string;
  readonly databaseKeyFile: string;
}

type TlsMode = 'off' | 'require' | 'verify-full';

/** What `openDatabase` of packages/db takes. */
export interface DatabaseConnectionOptions {
  readonly url: string;
  readonly pool: number;
  readonly applicationName: string;
  readonly role: string | undefined;
  /** Row security lets rows of all tenants through: what is asked for one tenant narrows it. */
  readonly tenant: '*';
  readonly tls: (ClientTls & { readonly verify: boolean; readonly explain: ExplainRefusal }) | null;
}

/** @throws ConfigError for files that cannot be used and for keys that contradict each other. */
export function databaseOptions(
  config: DatabaseAccess,
  applicationName: string,
  now = new Date(),
): DatabaseConnectionOptions {
  const faults: string[] = [];
  const [, address = '', query = ''] = /^([^?]*)\??(.*)$/s.exec(config.databaseUrl) ?? [];
  const parameters = new URLSearchParams(query);
  const mode = config.databaseTls === 'by-url' ? modeOfUrl(parameters, faults) : config.databaseTls;
  const tls = readTls(config, mode, now, faults);
  if (faults.length > 0) throw new ConfigError(faults);
  for (const name of URL_PARAMETERS) parameters.delete(name);
  const url = parameters.size > 0 ? `${address}?${parameters}` : address;
  const role = config.databaseRole === '' ? undefined : config.databaseRole;
  return { url, pool: config.databasePool, applicationName, role, tenant: '*', tls };
}

const URL_PARAMETERS = ['sslmode', 'ssl', 'sslrootcert'];
const MODES: Readonly<Record<string, TlsMode>> = {
  disable: 'off',
  false: 'off',
  require: 'require',
  // The name is checked as well: a certificate of a trusted authority for somebody else is no proof.
  'verify-ca': 'verify-full',
  'verify-full': 'verify-full',
  true: 'verify-full',
};

/** As libpq reads it, but for what falls back to plain text without a word: `allow` and `prefer` are refused. */
function modeOfUrl(parameters: URLSearchParams, faults: string[]): TlsMode {
  for (const name of ['sslcert', 'sslkey'])
    if (parameters.has(name))
      faults.push(`DATABASE_URL has ${name}: set DATABASE_CERT_FILE and DATABASE_KEY_FILE`);
  const root = parameters.get('sslrootcert');
  if (root !== null && root !== 'system') faults.push('DATABASE_URL has sslrootcert: set DATABASE_CA_FILE');
  const given = parameters.get('sslmode') ?? parameters.get('ssl');
  if (given === null) return root === 'system' ? 'verify-full' : 'off';
  const mode = MODES[given];
  if (mode !== undefined) return mode;
  faults.push(
    'DATABASE_URL: expected sslmode to be one of disable, require, verify-full (prefer and allow fall back to plain text); or set DATABASE_TLS',
  );
  return 'off';
}

function readTls(
  config: DatabaseAccess,
  mode: TlsMode,
  now: Date,
  faults: string[],
): DatabaseConnectionOptions['tls'] {
  const files = {
    ca: { env: 'DATABASE_CA_FILE', path: config.databaseCaFile },
    cert: { env: 'DATABASE_CERT_FILE', path: config.databaseCertFile },
    key: { env: 'DATABASE_KEY_FILE', path: config.databaseKeyFile },
  };
  if (mode === 'off') {
    refuseFiles(files, 'TLS is off: set DATABASE_TLS=verify-full', faults);
    return null;
  }
  if (mode === 'require' && config.databaseCaFile !== '')
    faults.push('DATABASE_CA_FILE is set, but DATABASE_TLS=require checks no certificate: use verify-full');
  const explain = explainTls({
    name: 'Postgres',
    prefix: 'DATABASE',
    hasCaFile: config.databaseCaFile !== '',
  });
  return { ...readClientTls(files, now, faults), verify: mode === 'verify-full', explain };
}

/** Here and not in the driver, whose error would quote the URL with the password in it. */
function checkDatabaseUrl(value: string): void {
  if (!/^postgres(ql)?:\/\//.test(value)) throw new Error();
  try {
    // Of several hosts, which the driver tries in turn, one is enough to look at.
    const { username, password } = new URL(value.replace(/,[^@/?]*(?=[/?]|$)/, ''));
    decodeURIComponent(username);
    decodeURIComponent(password);
  } catch {
    throw new Error('it is no valid URL: is something special in user or password not percent-encoded?');
  }
}
