import { ensurePartitions, LATENCY_BOUNDS_MS, LATENCY_BUCKETS, type PoolSql } from '@posthorn/db';

/** A record of `days` days up to today, made by Postgres itself. */
export interface Shape {
  readonly deliveries: number;
  readonly attemptsPerDelivery: number;
  readonly days: number;
  readonly tenants: number;
  readonly endpointsPerTenant: number;
  /** Deliveries of one event. */
  readonly fanOut: number;
}

const DAY_MS = 86_400_000;
const TYPES = 20;
const EVENT_HOURS = 24;

/**
 * Fills an empty, migrated database. The first tenant has a tenth of all events, the last a few thousandths of a
 * thousandth: what is asked for one may be a hundredth of what is asked for another. Of deliveries 5 % are dead letters,
 * 1 % wait for a retry, 1 % were cancelled; attempts before the last have failed.
 */
export async function fill(sql: PoolSql, shape: Shape, say: (line: string) => void): Promise<void> {
  const today = Math.floor(Date.now() / DAY_MS);
  const first = today - shape.days + 1;
  await ensurePartitions(sql, text(first), text(today));
  await fillTenants(sql, shape);
  for (let day = first; day <= today; day++) {
    const startedMs = Date.now();
    await fillDay(sql, shape, day);
    const seconds = ((Date.now() - startedMs) / 1_000).toFixed(1);
    say(`filled ${text(day)} (${day - first + 1}/${shape.days}) in ${seconds} s`);
  }
  await sql.unsafe('analyze');
}

const text = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);

export const tenantOf = (n: number): string => `tenant-${n}`;

async function fillTenants(sql: PoolSql, { tenants, endpointsPerTenant }: Shape): Promise<void> {
  await sql.begin(async (transaction) => {
    // Without the triggers of configuration: a thousand audit rows are not asked for.
    await transaction
      .unsafe(`
      set local session_replication_role = replica;
      insert into tenants (tenant_id, revision, lanes, retention_days)
        select 'tenant-' || n, 1, '{0}', 30 from generate_series(0, ${tenants - 1}) n;
      insert into endpoints (endpoint_id, tenant_id, url, sealed_secrets)
        select ${endpointId('n', 'k')}, 'tenant-' || n, 'https://hooks.example/', '[]'
        from generate_series(0, ${tenants - 1}) n, generate_series(0, ${endpointsPerTenant - 1}) k;`)
      .simple();
  });
}

const endpointId = (tenant: string, place: string): string => `'ep_' || md5(${tenant} || '/' || ${place})`;
/** A UUIDv7 of these milliseconds, the same for the same name. */
const uuid = (ms: string, name: string): string =>
  `(lpad(to_hex((${ms})::bigint), 12, '0') || '7' || substr(md5(${name}), 1, 3) || '8' || substr(md5(${name}), 4, 15))::uuid`;

async function fillDay(sql: PoolSql, shape: Shape, day: number): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction
      .unsafe(`set local statement_timeout = 0; select setseed(${(day % 100) / 100});`)
      .simple();
    for (const statement of [events, deliveries, attempts, deadLetters, attemptDays])
      await transaction.unsafe(statement(shape, day)).simple();
    for (const [grain, unit] of grainsOf(shape, day))
      await transaction.unsafe(rollups(day, grain, unit)).simple();
  });
  for (const table of ['events', 'deliveries', 'attempts', 'dead_letters'])
    await sql.unsafe(`vacuum (analyze) ${table}_30_p${text(day).replaceAll('-', '')}`);
}

function events(shape: Shape, day: number): string {
  const count = Math.max(1, Math.round(shape.deliveries / shape.fanOut / shape.days));
  return `
    insert into events (tenant_id, event_id, type, labels, content_type, payload, occurred_at, accepted_at, revision,
                        retention_days, day, client_event_id)
    select 'tenant-' || tenant, ${uuid('ms', `'${day}/' || i`)}, 'order.type-' || (i % ${TYPES}),
           jsonb_build_object('region', 'r' || (i % 10)), 'application/json', convert_to(repeat('x', 200), 'UTF8'),
           to_timestamp(ms / 1000.0), to_timestamp(ms / 1000.0), 1, 30, '${text(day)}',
           case when i % 10 = 0 then 'order-' || i end
    from (
      select i, (${day * DAY_MS}::float8 + i * ${(EVENT_HOURS * 3_600_000) / count})::bigint as ms,
             floor(${shape.tenants} * power(random(), 3))::int as tenant
      from generate_series(0, ${count - 1}) i
    ) made`;
}

function deliveries({ fanOut, endpointsPerTenant }: Shape, day: number): string {
  return `
    insert into deliveries (tenant_id, delivery_id, event_id, endpoint_id, event_type, run, state, round, attempt,
                            standing, next_due_at, last_failure, last_status, last_error, updated_at, retention_days, day)
    select tenant_id, delivery_id, event_id, ${endpointId(`substr(tenant_id, 8)`, `(shift + k) % ${endpointsPerTenant}`)},
           type, 0, state, 0, 1, 0, case state when 'processing' then accepted_at + interval '1 hour' end,
           ${failure('state')}, ${status('state')}, case when state in ('failed', 'processing') then 'answered 503' end,
           accepted_at, 30, day
    from (
      select *, event_id::text || '_' || substr(md5(event_id::text || k), 1, 16) as delivery_id,
             ('x' || substr(md5(event_id::text), 1, 6))::bit(24)::int as shift,
             case when draw < 0.05 then 'failed' when draw < 0.06 then 'processing' when draw < 0.07 then 'cancelled'
                  else 'success' end as state
      from (
        select e.*, k, random() as draw from events e, generate_series(0, ${fanOut - 1}) k where e.day = '${text(day)}'
      ) drawn
    ) made`;
}

/** Now and then another class than the usual one: what is looked for is rare. */
const failure = (state: string): string =>
  `case when ${state} in ('failed', 'processing') then case when draw < 0.0005 then 'tls' else 'http_5xx' end end`;
const status = (state: string): string =>
  `case ${state} when 'success' then 200 when 'cancelled' then null else case when draw < 0.0005 then null else 503 end end`;

function attempts({ attemptsPerDelivery }: Shape, day: number): string {
  const most = 2 * attemptsPerDelivery - 1;
  const startedMs = `(extract(epoch from accepted_at) * 1000)::bigint + 1000 * (power(3, n) - 3)::bigint`;
  return `
    insert into attempts (attempt_id, delivery_id, tenant_id, endpoint_id, event_id, event_type, run, round, attempt, state,
                          started_at, duration_ms, status, failure, error, trace_id, revision, retention_days, day)
    select ${uuid('started_ms', "delivery_id || '/' || n")}, delivery_id, tenant_id, endpoint_id, event_id, event_type, 0, 0,
           n, case when n < last or state = 'cancelled' then 'processing' else state end,
           to_timestamp(started_ms / 1000.0), (5 * exp(6 * random()))::int,
           case when n < last or state = 'cancelled' then 503 else last_status end,
           case when n < last or state = 'cancelled' then 'http_5xx' else last_failure end, null,
           md5(delivery_id), 1, 30, day
    from (
      select d.*, e.accepted_at, 1 + (('x' || substr(md5(d.delivery_id), 1, 6))::bit(24)::int % ${most}) as last
      from deliveries d join events e using (event_id, day, retention_days) where d.day = '${text(day)}'
    ) made, lateral (select n, ${startedMs} as started_ms from generate_series(1, last) n) tried
    order by started_ms`;
}

const deadLetters = (_shape: Shape, day: number): string => `
    insert into dead_letters (delivery_id, tenant_id, endpoint_id, event_id, event_type, run, round, standing, reason,
                              last_failure, last_status, last_error, attempts, failed_at, topic, partition, "offset",
                              retention_days, day)
    select delivery_id, tenant_id, endpoint_id, event_id, event_type, 0, 0, 0, 'attempts_exhausted', last_failure,
           last_status, last_error, 6, updated_at, 'dead-letters', 0, 0, 30, day
    from deliveries where day = '${text(day)}' and state = 'failed'`;

const attemptDays = (_shape: Shape, day: number): string => `
    insert into attempt_days (attempt_day, day)
    select distinct (started_at at time zone 'UTC')::date, day from attempts where day = '${text(day)}'
    on conflict do nothing`;

/** Minutes are kept for two days. */
function grainsOf({ days }: Shape, day: number): [grain: string, unit: string][] {
  const isRecent = day > Math.floor(Date.now() / DAY_MS) - Math.min(2, days);
  const coarse: [string, string][] = [
    ['hour', 'hour'],
    ['day', 'day'],
  ];
  return isRecent ? [['minute', 'minute'], ...coarse] : coarse;
}

/** What the recorder would have counted of the day's attempts and deliveries. */
function rollups(day: number, grain: string, unit: string): string {
  const latency = Array.from({ length: LATENCY_BUCKETS }, (_, i) => `l${i}`);
  const inBucket = latency.map((_, i) => `count(*) filter (where bucket_no = ${i})`).join(', ');
  const owners = ['tenant_id, endpoint_id, ', 'tenant_id, ', ''];
  // Of endpoints by type days alone.
  const split = grain === 'day' ? owners : owners.slice(1);
  const sets = (columns: string): string =>
    [...owners, ...split.map((owner) => `${owner}event_type, `)]
      .map((own) => `(${own}${columns})`)
      .join(', ');
  const keys = `'${grain}', event_type is not null, coalesce(tenant_id, ''), coalesce(endpoint_id, ''), at`;
  const sums = [...latency, 'attempts', 'succeeded'].map(
    (column) => `${column} = r.${column} + excluded.${column}`,
  );
  return `
    insert into rollups as r (grain, by_type, tenant_id, endpoint_id, bucket, event_type, status_class, failure, attempts, succeeded,
                         ${latency.join(', ')})
    select ${keys}, coalesce(event_type, ''), status_class, failure_class, count(*), count(*) filter (where state = 'success'), ${inBucket}
    from (
      select tenant_id, endpoint_id, event_type, state, date_trunc('${unit}', started_at, 'UTC') as at,
             coalesce(left(status::text, 1) || 'xx', 'none') as status_class, coalesce(failure, '') as failure_class,
             width_bucket(duration_ms - 1, array[${LATENCY_BOUNDS_MS.join(', ')}]) as bucket_no
      from attempts where day = '${text(day)}'
    ) made
    group by grouping sets (${sets('at, status_class, failure_class')})
    on conflict (grain, by_type, tenant_id, endpoint_id, bucket, event_type, status_class, failure) do update set ${sums.join(', ')};
    insert into rollups as r (grain, by_type, tenant_id, endpoint_id, bucket, event_type, status_class, failure, deliveries)
    select ${keys}, coalesce(event_type, ''), '', '', count(*)
    from (
      select tenant_id, endpoint_id, event_type, date_trunc('${unit}', updated_at, 'UTC') as at
      from deliveries where day = '${text(day)}'
    ) made
    group by grouping sets (${sets('at')})
    on conflict (grain, by_type, tenant_id, endpoint_id, bucket, event_type, status_class, failure)
      do update set deliveries = r.deliveries + excluded.deliveries;`;
}
