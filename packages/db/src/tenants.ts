import { takeChange } from './changes.ts';
import { inTransaction, type Sql } from './database.ts';

export type DlqPolicy = 'refuse' | 'drop_oldest' | 'warn';
export type RetentionDays = 7 | 30 | 90;

export interface Quotas {
  readonly maxEventsPerSec: number;
  readonly maxConcurrentDeliveries: number;
  readonly maxDlqSize: number;
  readonly maxWebhooks: number;
  readonly dlqPolicy: DlqPolicy;
}

export interface NewTenant {
  readonly tenantId: string;
  readonly name: string;
  readonly lanes: readonly number[];
  readonly retentionDays?: RetentionDays;
  /** What is left out takes the column's default. */
  readonly quotas?: Partial<Quotas>;
}

export interface EndpointVersionRow {
  readonly validFrom: number;
  readonly validUntil: number | null;
  readonly eventTypes: string[];
  readonly labels: Record<string, string>;
}

export interface TenantEndpointRow {
  readonly endpointId: string;
  readonly url: string;
  readonly state: 'active' | 'disabled' | 'deleted';
  /** Newest first. */
  readonly sealedSecrets: string[];
  readonly retryScheduleMs: number[] | null;
  readonly attemptTimeoutMs: number | null;
  readonly versions: EndpointVersionRow[];
}

export interface TenantRow {
  readonly tenantId: string;
  readonly name: string;
  readonly revision: number;
  readonly lanes: number[];
  readonly retentionDays: number;
  readonly quotas: Quotas;
  readonly endpoints: TenantEndpointRow[];
}

export interface TenantSummary {
  readonly tenantId: string;
  readonly name: string;
  readonly revision: number;
  readonly lanes: number[];
  readonly retentionDays: number;
  readonly createdAt: Date;
}

/**
 * Days for which a closed version or a deleted endpoint is still loaded: as long as `events` keeps records, an event
 * stamped before the change can still come by.
 */
const CLOSED_VERSION_DAYS = 8;

/** Creates the tenant with its quotas. `exists` when the id is taken. */
export async function createTenant(
  sql: Sql,
  tenant: NewTenant,
): Promise<{ kind: 'created'; change: number } | { kind: 'exists' }> {
  return inTransaction(sql, async (transaction) => {
    const change = await takeChange(transaction);
    const created = await transaction`
      insert into tenants (tenant_id, name, revision, lanes, retention_days)
      values (${tenant.tenantId}, ${tenant.name}, ${change}::bigint, ${[...tenant.lanes]}::int[],
              ${tenant.retentionDays ?? 30})
      on conflict (tenant_id) do nothing
      returning tenant_id`;
    if (created.length === 0) return { kind: 'exists' };
    await transaction`insert into quotas (tenant_id) values (${tenant.tenantId})`;
    if (tenant.quotas) await setQuotas(transaction, tenant.tenantId, tenant.quotas);
    return { kind: 'created', change };
  });
}

/** Null when there is no such tenant. */
export async function findTenant(sql: Sql, tenantId: string): Promise<TenantSummary | null> {
  const [row] = await sql<TenantSummary[]>`
    select tenant_id, name, revision, lanes, retention_days, created_at
    from tenants where tenant_id = ${tenantId}`;
  return row ?? null;
}

/** Null when there is no such tenant. */
export async function findQuotas(sql: Sql, tenantId: string): Promise<Quotas | null> {
  const [row] = await sql<Quotas[]>`
    select max_events_per_sec, max_concurrent_deliveries, max_dlq_size, max_webhooks, dlq_policy
    from quotas where tenant_id = ${tenantId}`;
  return row ?? null;
}

/** Changes the quotas that are given. Null when there is no such tenant. */
export async function updateQuotas(
  sql: Sql,
  tenantId: string,
  quotas: Partial<Quotas>,
): Promise<{ change: number; quotas: Quotas } | null> {
  return inTransaction(sql, async (transaction) => {
    const change = await takeChange(transaction);
    const updated = await setQuotas(transaction, tenantId, quotas);
    return updated ? { change, quotas: updated } : null;
  });
}

async function setQuotas(sql: Sql, tenantId: string, quotas: Partial<Quotas>): Promise<Quotas | null> {
  const [row] = await sql<Quotas[]>`
    update quotas set
      max_events_per_sec = coalesce(${quotas.maxEventsPerSec ?? null}::int, max_events_per_sec),
      max_concurrent_deliveries =
        coalesce(${quotas.maxConcurrentDeliveries ?? null}::int, max_concurrent_deliveries),
      max_dlq_size = coalesce(${quotas.maxDlqSize ?? null}::int, max_dlq_size),
      max_webhooks = coalesce(${quotas.maxWebhooks ?? null}::int, max_webhooks),
      dlq_policy = coalesce(${quotas.dlqPolicy ?? null}::text, dlq_policy)
    where tenant_id = ${tenantId}
    returning max_events_per_sec, max_concurrent_deliveries, max_dlq_size, max_webhooks, dlq_policy`;
  return row ?? null;
}

interface LoadedRow extends Omit<TenantRow, 'quotas' | 'endpoints'>, Quotas {
  readonly endpoints: LoadedEndpoint[];
}
interface LoadedEndpoint {
  readonly id: string;
  readonly url: string;
  readonly state: TenantEndpointRow['state'];
  readonly secrets: string[];
  readonly schedule: number[] | null;
  readonly timeout: number | null;
  readonly versions: {
    from: number;
    until: number | null;
    types: string[];
    labels: Record<string, string>;
  }[];
}

/** Everything that the services need of these tenants, in one statement; unknown ones are left out. */
export async function loadTenants(sql: Sql, tenantIds: readonly string[]): Promise<TenantRow[]> {
  const rows = await sql<LoadedRow[]>`
    select t.tenant_id, t.name, t.revision, t.lanes, t.retention_days, q.max_events_per_sec,
           q.max_concurrent_deliveries, q.max_dlq_size, q.max_webhooks, q.dlq_policy,
           coalesce(e.endpoints, '[]') as endpoints
    from tenants t
    join quotas q using (tenant_id)
    left join lateral (
      select jsonb_agg(jsonb_build_object(
        'id', endpoint_id, 'url', url, 'state', state, 'secrets', sealed_secrets,
        'schedule', retry_schedule_ms, 'timeout', attempt_timeout_ms, 'versions', coalesce(v.versions, '[]')
      ) order by endpoint_id) as endpoints
      from endpoints
      left join lateral (
        select jsonb_agg(jsonb_build_object(
          'from', valid_from, 'until', valid_until, 'types', event_types, 'labels', labels
        ) order by valid_from) as versions
        from endpoint_versions
        where endpoint_versions.endpoint_id = endpoints.endpoint_id
          and (valid_until is null or closed_at is null
               or closed_at > now() - ${CLOSED_VERSION_DAYS} * interval '1 day')
      ) v on true
      where endpoints.tenant_id = t.tenant_id
        and (state <> 'deleted' or updated_at > now() - ${CLOSED_VERSION_DAYS} * interval '1 day')
    ) e on true
    where t.tenant_id = any(${[...tenantIds]}::text[])`;
  return rows.map(toTenantRow);
}

function toTenantRow(row: LoadedRow): TenantRow {
  return {
    tenantId: row.tenantId,
    name: row.name,
    revision: row.revision,
    lanes: row.lanes,
    retentionDays: row.retentionDays,
    quotas: {
      maxEventsPerSec: row.maxEventsPerSec,
      maxConcurrentDeliveries: row.maxConcurrentDeliveries,
      maxDlqSize: row.maxDlqSize,
      maxWebhooks: row.maxWebhooks,
      dlqPolicy: row.dlqPolicy,
    },
    endpoints: row.endpoints.map((endpoint) => ({
      endpointId: endpoint.id,
      url: endpoint.url,
      state: endpoint.state,
      sealedSecrets: endpoint.secrets,
      retryScheduleMs: endpoint.schedule,
      attemptTimeoutMs: endpoint.timeout,
      versions: endpoint.versions.map((version) => ({
        validFrom: version.from,
        validUntil: version.until,
        eventTypes: version.types,
        labels: version.labels,
      })),
    })),
  };
}
