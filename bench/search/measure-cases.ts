import type { PoolSql } from '@posthorn/db';
import { CASES, type Case, type Drawn } from './cases.ts';
import { explaining } from './explain.ts';

export interface CaseFigures {
  readonly name: string;
  readonly kind: Case['kind'];
  readonly calls: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
  /** Partitions of days that one call has read, of those that there are. */
  readonly partitions: number;
  readonly seqScans: readonly string[];
}

const WARM_UP_CALLS = 10;
/** By whole pages, of which the calls' are drawn. */
const ROWS_SAMPLED = 50_000;

/** Rows drawn by chance: a tenant with many is drawn as often as it has many. */
export async function draw(sql: PoolSql, count: number, attempts: number): Promise<Drawn[]> {
  const percent = Math.min(100, (100 * ROWS_SAMPLED) / attempts);
  const rows = await sql<(Omit<Drawn, 'atMs'> & { startedAt: Date })[]>`
    select a.tenant_id, a.endpoint_id, a.event_id, a.delivery_id, a.attempt_id, e.client_event_id, a.started_at
    from (
      select * from attempts tablesample system (${percent}::float8) order by md5(attempt_id::text) limit ${count}
    ) a join events e using (event_id, day, retention_days)`;
  return rows.map(({ startedAt, ...row }) => ({ ...row, atMs: startedAt.getTime() }));
}

/** Half of the calls are for tenants as they come, half for each tenant alike: most tenants have little. */
export function spread(drawn: readonly Drawn[]): Drawn[] {
  const byTenant = new Map<string, Drawn>();
  for (const each of drawn) byTenant.set(each.tenantId, each);
  const tenants = [...byTenant.values()];
  return drawn.map((each, i) => (i % 2 === 0 ? each : tenants[i % tenants.length]!));
}

export async function measureCases(
  sql: PoolSql,
  drawn: readonly Drawn[],
  { calls, only }: { readonly calls: number; readonly only: RegExp | null },
  say: (figures: CaseFigures) => void,
): Promise<CaseFigures[]> {
  const found: CaseFigures[] = [];
  for (const each of CASES) {
    if (only !== null && !only.test(each.name)) continue;
    const figures = await measureCase(sql, each, drawn, calls);
    found.push(figures);
    say(figures);
  }
  return found;
}

async function measureCase(
  sql: PoolSql,
  asked: Case,
  drawn: readonly Drawn[],
  calls: number,
): Promise<CaseFigures> {
  const explained = explaining(sql);
  await asked.ask(explained.sql, drawn[0]!);
  // Plans are made, and pages read, as in a service that runs.
  for (let call = 0; call < WARM_UP_CALLS; call++) await asked.ask(sql, drawn[call % drawn.length]!);
  const times: number[] = [];
  for (let call = 0; call < calls; call++) {
    const startedMs = performance.now();
    await asked.ask(sql, drawn[call % drawn.length]!);
    times.push(performance.now() - startedMs);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(share * times.length))]!;
  return {
    name: asked.name,
    kind: asked.kind,
    calls,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    maxMs: times.at(-1)!,
    partitions: explained.partitions.size,
    seqScans: [...explained.seqScans],
  };
}
