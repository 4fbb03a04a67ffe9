import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EVERY_TENANT, grantServiceRights, migrate, openDatabase, type PoolSql } from '@posthorn/db';
import { findPostgres } from '@posthorn/scripts/infra';
import { fill, type Shape } from './search/fill.ts';
import { type CaseFigures, draw, measureCases, spread } from './search/measure-cases.ts';
import { ROOT } from './services.ts';

const HELP = `npm run search-bench -- [options]

Fills a database of its own with a record of many days and measures what the lists, searches, look-ups and analytics of
the API ask Postgres: p50 and p95 of each, how many days' partitions it reads, and whether it reads a table as a whole.
With DATABASE_URL set, the database is made on that server (its role must be a superuser's), else on an embedded one.

  --deliveries N[,M]  rows of deliveries; several sizes are measured one after the other, and analytics are compared
                      (default 250000)
  --attempts N        attempts for each delivery, on average (default 4)
  --days N            days that they are spread over (default 30)
  --tenants N         (default 1000), each with --endpoints N (default 10)
  --fan-out N         deliveries of an event (default 5)
  --calls N           calls of each case (default 200)
  --only REGEXP       cases whose name fits
  --as ingest|owner   who asks (default ingest): the role of the API, held to row security, or the owner of the tables
  --database NAME     (default posthorn_search_bench); one that is there already is dropped, or with --reuse measured
  --reuse             measure the database as it is, and keep it; of a server in DATABASE_URL, as is:
  --keep              keep the database
  --json FILE         also write the figures to FILE
`;

const { values: flags } = parseArgs({
  options: {
    deliveries: { type: 'string', default: '250000' },
    attempts: { type: 'string', default: '4' },
    days: { type: 'string', default: '30' },
    tenants: { type: 'string', default: '1000' },
    endpoints: { type: 'string', default: '10' },
    'fan-out': { type: 'string', default: '5' },
    calls: { type: 'string', default: '200' },
    only: { type: 'string' },
    as: { type: 'string', default: 'ingest' },
    database: { type: 'string', default: 'posthorn_search_bench' },
    reuse: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const STATEMENT_TIMEOUT_MS = 3_600_000;
/** The targets of the API. */
const MAX_LIST_P95_MS = 50;
const MAX_ANALYTICS_GROWTH = 1.2;
/** Less than this is the machine's, not the query's. */
const NOISE_MS = 2;

function number(
  name: 'attempts' | 'days' | 'tenants' | 'endpoints' | 'fan-out' | 'calls',
  text = flags[name],
): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name} ${text}: expected a whole number above 0`);
  return value;
}

const sizes = (): number[] =>
  flags.deliveries.split(',').map((part) => {
    const value = Number(part);
    if (!Number.isInteger(value) || value < 1_000)
      throw new Error(`--deliveries ${part}: expected a whole number from 1000`);
    return value;
  });

function databaseName(): string {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(flags.database))
    throw new Error(`--database ${flags.database}: not a plain name`);
  return flags.database;
}

const shapeOf = (deliveries: number): Shape => ({
  deliveries,
  attemptsPerDelivery: number('attempts'),
  days: number('days'),
  tenants: number('tenants'),
  endpointsPerTenant: number('endpoints'),
  fanOut: number('fan-out'),
});

async function inDatabase<T>(serverUrl: string, work: (sql: PoolSql) => Promise<T>): Promise<T> {
  const name = databaseName();
  const admin = openDatabase({ url: serverUrl, pool: 1, applicationName: 'search-bench' });
  if (!flags.reuse) {
    await admin.sql.unsafe(`drop database if exists ${name}`);
    await admin.sql.unsafe(`create database ${name}`);
  }
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const timeouts = { statementTimeoutMs: STATEMENT_TIMEOUT_MS, silenceTimeoutMs: STATEMENT_TIMEOUT_MS };
  const database = openDatabase({ url: url.href, pool: 1, applicationName: 'search-bench', ...timeouts });
  try {
    return await work(database.sql);
  } finally {
    await database.close();
    if (!flags.keep && !flags.reuse) await admin.sql.unsafe(`drop database if exists ${name}`);
    await admin.close();
  }
}

async function measureSize(sql: PoolSql, deliveries: number): Promise<CaseFigures[]> {
  if (!flags.reuse) {
    await migrate(sql);
    const startedMs = Date.now();
    await fill(sql, shapeOf(deliveries), say);
    say(`filled in ${Math.round((Date.now() - startedMs) / 1_000)} s`);
  }
  const [counted] = await sql<{ deliveries: number; attempts: number; partitions: number; bytes: string }[]>`
    select (select count(*)::int from deliveries) as deliveries, (select count(*)::int from attempts) as attempts,
           (select count(*)::int from pg_class where relname ~ '_p[0-9]{8}$' and relkind = 'r') as partitions,
           pg_size_pretty(pg_database_size(current_database())) as bytes`;
  say(
    `${counted!.deliveries} deliveries, ${counted!.attempts} attempts, ${counted!.partitions} partitions, ${counted!.bytes}`,
  );
  const drawn = spread(await draw(sql, number('calls'), counted!.attempts));
  if (flags.as === 'ingest') await actAsIngest(sql);
  const only = flags.only === undefined ? null : new RegExp(flags.only);
  say('| query | p50 | p95 | max | partitions read |\n|---|---|---|---|---|');
  return measureCases(sql, drawn, { calls: number('calls'), only }, (figures) => say(row(figures)));
}

const ROLE_PREFIX = 'posthorn_';

/** From here on, on the one connection there is. */
async function actAsIngest(sql: PoolSql): Promise<void> {
  await grantServiceRights(sql, ROLE_PREFIX);
  await sql`set role ${sql(`${ROLE_PREFIX}ingest`)}`;
  await sql`select set_config('posthorn.tenant', ${EVERY_TENANT}, false)`;
}

function row({ name, p50Ms, p95Ms, maxMs, partitions, seqScans }: CaseFigures): string {
  const read = seqScans.length > 0 ? `${partitions} (whole: ${seqScans.join(', ')})` : String(partitions);
  return `| ${name} | ${p50Ms.toFixed(1)} ms | ${p95Ms.toFixed(1)} ms | ${maxMs.toFixed(1)} ms | ${read} |`;
}

/** Whether the targets hold; says what does not. */
function judge(found: ReadonlyMap<number, readonly CaseFigures[]>): boolean {
  const faults: string[] = [];
  const [smallest, ...larger] = [...found.keys()].sort((a, b) => a - b);
  for (const [size, figures] of found)
    for (const { name, kind, p95Ms } of figures)
      if (kind !== 'analytics' && p95Ms > MAX_LIST_P95_MS)
        faults.push(`${name} at ${size}: p95 ${p95Ms.toFixed(1)} ms is above ${MAX_LIST_P95_MS} ms`);
  for (const size of larger) {
    for (const { name, kind, p95Ms } of found.get(size)!) {
      const before = found.get(smallest!)!.find((each) => each.name === name)!.p95Ms;
      if (kind !== 'analytics') continue;
      say(`${name}: p95 at ${size} is ${(p95Ms / before).toFixed(2)} × that at ${smallest}`);
      if (p95Ms > before * MAX_ANALYTICS_GROWTH && p95Ms - before > NOISE_MS)
        faults.push(`${name}: p95 grew by ${(p95Ms / before).toFixed(2)}`);
    }
  }
  for (const fault of faults) say(`above its target: ${fault}`);
  return faults.length === 0;
}

async function main(): Promise<void> {
  if (flags.help) {
    say(HELP);
    return;
  }
  if (flags.as !== 'ingest' && flags.as !== 'owner')
    throw new Error(`--as ${flags.as}: expected ingest or owner`);
  const dir = join(ROOT, '.posthorn', `search-bench-${process.pid}`);
  await mkdir(dir, { recursive: true });
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort());
  const options = { root: ROOT, dir, shortLived: true, signal: abort.signal, say, onSpawn: () => undefined };
  const postgres = await findPostgres(options);
  try {
    const found = new Map<number, CaseFigures[]>();
    for (const deliveries of sizes())
      found.set(deliveries, await inDatabase(postgres.address, (sql) => measureSize(sql, deliveries)));
    if (flags.json) await writeFile(flags.json, `${JSON.stringify(Object.fromEntries(found), null, 2)}\n`);
    if (!judge(found)) process.exitCode = 1;
  } finally {
    await postgres.stop(abort.signal);
    await rm(dir, { recursive: true, force: true });
  }
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
