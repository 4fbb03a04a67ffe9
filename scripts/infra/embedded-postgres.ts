import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@posthorn/testkit';
import postgres from 'postgres';
import { type Account, placePostgres } from './postgres-account.ts';
import { type ServerProcess, spawnServer, waitUntilReady } from './server-process.ts';

const run = promisify(execFile);
const READY_MS = 30_000;
const MAX_CONNECTIONS = 300;
const NAME = 'posthorn';

export type EmbeddedPostgres = { url: string; server: ServerProcess };

export type PostgresOptions = {
  /** Holds the data, the password and the log. */
  dir: string;
  port?: number;
  /** Data that may be lost with the machine: no waiting for the disk. */
  shortLived?: boolean;
  /** Over the others; for whoever kills the server and expects to find what it had committed. */
  settings?: Readonly<Record<string, string>>;
  /** Put into the data folder before the start, readable by the server alone: certificates, rules of access. */
  files?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
  onSpawn?: (pid: number) => void;
};

/** Starts Postgres on loopback with a database `posthorn`; data in `dir` is used again when it is there. */
export async function startEmbeddedPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const { signal } = options;
  const { account, bin, dir } = await placePostgres(options.dir);
  const port = options.port ?? (await freePort());
  const dataDir = join(dir, 'data');
  const logFile = join(dir, 'postgres.log');
  await mkdir(dir, { recursive: true });
  const password = await initialiseOnce({ dir, dataDir, bin, account, signal });
  await removeStalePidFile(join(dataDir, 'postmaster.pid'));
  for (const [name, text] of Object.entries(options.files ?? {}))
    await writeFor(account, join(dataDir, name), text);
  signal?.throwIfAborted();
  const server = spawnServer({
    command: join(bin, 'postgres'),
    args: ['-D', dataDir, '-p', String(port), ...settings(options.shortLived ?? false, options.settings)],
    logFile,
    cwd: '/',
    ...account,
  });
  options.onSpawn?.(server.pid);
  const url = (database: string) => `postgres://${NAME}:${password}@127.0.0.1:${port}/${database}`;
  try {
    const ready = () => saysReady(join(dataDir, 'postmaster.pid'), server.pid);
    await waitUntilReady({ name: 'Postgres', server, logFile, timeoutMs: READY_MS, signal, ready });
    await createDatabaseOnce(url('postgres'));
  } catch (error) {
    await server.stop('SIGKILL', 0);
    throw error;
  }
  return { url: url(NAME), server };
}

/**
 * After a crash of the machine the pid in the file may be that of some other process of ours, and Postgres would
 * refuse to start beside it.
 */
async function removeStalePidFile(pidFile: string): Promise<void> {
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0]);
  if (!pid) return;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  if (command !== undefined && !command.includes('postgres')) await rm(pidFile, { force: true });
}

/** Postgres writes its pid on the first line of this file and its state on the eighth. */
async function saysReady(pidFile: string, pid: number): Promise<boolean> {
  const lines = (await readFile(pidFile, 'utf8').catch(() => '')).split('\n');
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

function settings(shortLived: boolean, given: Readonly<Record<string, string>> = {}): string[] {
  const values = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: MAX_CONNECTIONS,
    shared_buffers: '128MB',
    ...(shortLived
      ? { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', autovacuum: 'off' }
      : {}),
    ...given,
  };
  return Object.entries(values).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
}

type Initialise = {
  dir: string;
  dataDir: string;
  bin: string;
  account: Account;
  signal: AbortSignal | undefined;
};

/** Answers the password. An initdb that was cut short leaves no password file, and is done again. */
async function initialiseOnce({ dir, dataDir, bin, account, signal }: Initialise): Promise<string> {
  const passwordFile = join(dir, 'password');
  const kept = await readFile(passwordFile, 'utf8').catch(() => '');
  if (kept && (await stat(join(dataDir, 'PG_VERSION')).catch(() => undefined))) return kept;
  const password = randomBytes(12).toString('hex');
  await rm(dataDir, { recursive: true, force: true });
  await mkdir(dataDir, { mode: 0o700 });
  const draft = join(dir, 'password.draft');
  await writeFor(account, draft, password);
  if (account.uid !== undefined && account.gid !== undefined) await chown(dataDir, account.uid, account.gid);
  const flags = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions'];
  await run(
    join(bin, 'initdb'),
    [`--pgdata=${dataDir}`, `--username=${NAME}`, `--pwfile=${draft}`, ...flags],
    {
      cwd: '/',
      signal,
      ...account,
    },
  );
  await writeFile(passwordFile, password, { mode: 0o600 });
  await rm(draft);
  return password;
}

async function writeFor({ uid, gid }: Account, file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
  if (uid !== undefined && gid !== undefined) await chown(file, uid, gid);
}

async function createDatabaseOnce(adminUrl: string): Promise<void> {
  const sql = postgres(adminUrl, { max: 1, onnotice: () => {} });
  try {
    const found = await sql`select 1 from pg_database where datname = ${NAME}`;
    if (found.length === 0) await sql.unsafe(`create database ${NAME}`);
  } finally {
    await sql.end();
  }
}
