import type { Sql } from './database.ts';
import type {
  ContentFilter,
  EndpointAuth,
  EndpointLimits,
  EndpointRequest,
  EndpointScope,
  EndpointState,
  PauseMode,
  SignatureScheme,
} from './endpoints.ts';
import type { UnknownTypePolicy } from './event-types.ts';
import type { PlaceInList } from './place-in-list.ts';
import type { Quotas, TenantQuotas } from './quotas.ts';

export type RetentionDays = 7 | 30 | 90;

/**
 * `active` ⇄ `disabled`: no new events, what was accepted is delivered. `deleted` is the end: nothing of it is
 * delivered or shown any more, and the id is never given again.
 */
export type TenantState = 'active' | 'disabled' | 'deleted';

export interface EndpointVersionRow {
  readonly validFrom: number;
  readonly validUntil: number | null;
  readonly eventTypes: string[];
  readonly labels: Record<string, string>;
  /** Null, or left out, for none. */
  readonly filter?: ContentFilter | null;
}

export interface TenantEndpointRow
  extends EndpointLimits,
    Omit<EndpointRequest, 'metadata' | 'sealedHeaders'>,
    Partial<Pick<EndpointRequest, 'sealedHeaders'>>,
    Partial<Pick<EndpointAuth, 'sealedAuth' | 'sealedTls'>> {
  readonly endpointId: string;
  readonly url: string;
  readonly state: EndpointState;
  /** Left out: `tenant`. */
  readonly scope?: EndpointScope;
  readonly stateReason: string | null;
  readonly pauseMode: PauseMode | null;
  /** Newest first. Left out, as are all that are sealed, where secrets were not asked for. */
  readonly sealedSecrets?: string[];
  /** Place by place until when a secret signs; null, or no place, is no end. */
  readonly secretsExpireAtMs: (number | null)[];
  /** Left out: `v1` alone. */
  readonly signatures?: SignatureScheme[];
  /** Of ed25519, as secrets are. */
  readonly sealedSigningKeys?: string[];
  readonly signingKeysExpireAtMs?: (number | null)[];
  readonly retryScheduleMs: number[] | null;
  readonly attemptTimeoutMs: number | null;
  readonly versions: EndpointVersionRow[];
}

/** What was accepted before `revision` and is in scope is not delivered: one event, one endpoint, or all (both null). */
export interface CancellationRow {
  readonly revision: number;
  readonly endpointId: string | null;
  readonly eventId: string | null;
}

export interface TenantRow {
  readonly tenantId: string;
  readonly name: string;
  readonly revision: number;
  readonly lanes: number[];
  /** Left, and not yet empty. */
  readonly drainingLanes: number[];
  /** The last change of the lanes; 0 when there was none. */
  readonly lanesRevision: number;
  readonly cancellations: CancellationRow[];
  readonly retentionDays: number;
  /** Left out: `active`. */
  readonly state?: TenantState;
  /** Left out: `allow`. */
  readonly unknownEventTypes?: UnknownTypePolicy;
  readonly quotas: Quotas;
  readonly endpoints: TenantEndpointRow[];
}

export interface TenantSummary {
  readonly tenantId: string;
  readonly name: string;
  readonly revision: number;
  readonly lanes: number[];
  readonly drainingLanes: number[];
  readonly plan: string;
  readonly retentionDays: RetentionDays;
  /** Not its plan's. */
  readonly ownRetention: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  readonly state: TenantState;
  readonly unknownEventTypes: UnknownTypePolicy;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/**
 * Days for which a closed version or a deleted endpoint is still loaded: as long as `events` keeps records, an event
 * stamped before the change can still come by.
 */
const CLOSED_VERSION_DAYS = 8;

/** Null when there is no such tenant. A deleted one is none. */
export async function findTenant(sql: Sql, tenantId: string): Promise<TenantSummary | null> {
  const [row] = await sql<TenantSummary[]>`
    select tenant_id, name, revision, lanes, draining_lanes, plan, retention_days, own_retention, metadata, state,
           unknown_event_types, created_at, updated_at
    from tenants where tenant_id = ${tenantId} and state <> 'deleted'`;
  return row ?? null;
}

export interface TenantFilter {
  readonly plan?: string | undefined;
  readonly state?: TenantState | undefined;
  /** How the id begins. */
  readonly prefix?: string | undefined;
}

/** With its quotas. Deleted ones are left out. */
export interface ListedTenant extends TenantSummary, TenantQuotas {}

/** By id; backwards, in the opposite order. */
export async function listTenants(
  sql: Sql,
  { plan, state, prefix }: TenantFilter,
  { at, backwards, limit }: PlaceInList,
): Promise<ListedTenant[]> {
  const order = backwards ? sql`desc` : sql``;
  return sql<ListedTenant[]>`
    select tenant_id, name, revision, lanes, draining_lanes, plan, retention_days, own_retention, metadata, state,
           unknown_event_types, created_at, updated_at, max_events_per_sec, max_concurrent_deliveries, max_dlq_size, max_webhooks,
           dlq_policy, overrides
    from tenants join quotas using (tenant_id)
    where state <> 'deleted'
      ${plan === undefined ? sql`` : sql`and plan = ${plan}`}
      ${state === undefined ? sql`` : sql`and state = ${state}`}
      ${prefix === undefined ? sql`` : sql`and starts_with(tenant_id, ${prefix}) and tenant_id >= ${prefix}`}
      ${at === null ? sql`` : backwards ? sql`and tenant_id < ${at}` : sql`and tenant_id > ${at}`}
    order by tenant_id ${order} limit ${limit}`;
}

interface LoadedRow extends Omit<TenantRow, 'quotas' | 'endpoints'>, Quotas {
  readonly endpoints: LoadedEndpoint[];
}
interface LoadedEndpoint
  extends Pick<
    TenantEndpointRow,
    'maxConcurrency' | 'maxPerSec' | 'maxRetryMs' | 'stateReason' | 'pauseMode' | 'method' | 'scope'
  > {
  readonly id: string;
  readonly url: string;
  readonly state: TenantEndpointRow['state'];
  readonly secrets?: string[];
  readonly expires: (string | null)[];
  readonly headers?: Record<string, string>;
  readonly signatures: SignatureScheme[];
  readonly signingKeys?: string[];
  readonly signingExpires: (string | null)[];
  readonly auth?: string | null;
  readonly tls?: string | null;
  readonly schedule: number[] | null;
  readonly timeout: number | null;
  readonly versions: {
    from: number;
    until: number | null;
    types: string[];
    labels: Record<string, string>;
    filter: ContentFilter | null;
  }[];
}

/**
 * Everything that the services need of these tenants, in one statement; unknown ones are left out. Without secrets it
 * reads no column that is sealed: the dispatcher has no right to.
 */
export async function loadTenants(
  sql: Sql,
  tenantIds: readonly string[],
  withSecrets = true,
): Promise<TenantRow[]> {
  const sealed = withSecrets
    ? sql`, 'secrets', sealed_secrets, 'headers', sealed_headers, 'auth', sealed_auth, 'tls', sealed_tls,
        'signingKeys', sealed_signing_keys`
    : sql``;
  const rows = await sql<LoadedRow[]>`
    select t.tenant_id, t.name, t.revision, t.lanes, t.draining_lanes, t.lanes_revision, t.retention_days, t.state,
           t.unknown_event_types,
           coalesce(c.cancellations, '[]') as cancellations, q.max_events_per_sec,
           q.max_concurrent_deliveries, q.max_dlq_size, q.max_webhooks, q.dlq_policy,
           coalesce(e.endpoints, '[]') as endpoints
    from tenants t
    join quotas q using (tenant_id)
    left join lateral (
      select jsonb_agg(jsonb_build_object(
        'id', endpoint_id, 'url', url, 'state', state, 'schedule', retry_schedule_ms, 'timeout', attempt_timeout_ms, 'versions', coalesce(v.versions, '[]'),
        'stateReason', state_reason, 'pauseMode', pause_mode, 'maxConcurrency', max_concurrency,
        'maxPerSec', max_per_sec, 'maxRetryMs', max_retry_ms,
        'method', method, 'expires', secret_expires_at, 'scope', scope, 'signatures', signatures,
        'signingExpires', signing_keys_expire_at ${sealed}
      ) order by endpoint_id) as endpoints
      from endpoints
      left join lateral (
        select jsonb_agg(jsonb_build_object(
          'from', valid_from, 'until', valid_until, 'types', event_types, 'labels', labels, 'filter', filter
        ) order by valid_from) as versions
        from endpoint_versions
        where endpoint_versions.endpoint_id = endpoints.endpoint_id
          and (valid_until is null or closed_at is null
               or closed_at > now() - ${CLOSED_VERSION_DAYS} * interval '1 day')
      ) v on true
      where endpoints.tenant_id = t.tenant_id
        and (state <> 'deleted' or updated_at > now() - ${CLOSED_VERSION_DAYS} * interval '1 day')
    ) e on true
    left join lateral (
      select jsonb_agg(jsonb_build_object(
        'revision', revision, 'endpointId', endpoint_id, 'eventId', event_id
      ) order by revision) as cancellations
      from cancellations
      where cancellations.tenant_id = t.tenant_id and expires_at > now()
    ) c on true
    where t.tenant_id = any(${[...tenantIds]}::text[])`;
  return rows.map(toTenantRow);
}

function toTenantRow(row: LoadedRow): TenantRow {
  return {
    tenantId: row.tenantId,
    name: row.name,
    revision: row.revision,
    lanes: row.lanes,
    drainingLanes: row.drainingLanes,
    lanesRevision: row.lanesRevision,
    cancellations: row.cancellations,
    retentionDays: row.retentionDays,
    state: row.state,
    unknownEventTypes: row.unknownEventTypes,
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
      scope: endpoint.scope,
      stateReason: endpoint.stateReason,
      pauseMode: endpoint.pauseMode,
      maxConcurrency: endpoint.maxConcurrency,
      maxPerSec: endpoint.maxPerSec,
      maxRetryMs: endpoint.maxRetryMs,
      ...sealedOf(endpoint),
      secretsExpireAtMs: endpoint.expires.map((at) => (at === null ? null : Date.parse(at))),
      method: endpoint.method,
      signatures: endpoint.signatures,
      signingKeysExpireAtMs: endpoint.signingExpires.map((at) => (at === null ? null : Date.parse(at))),
      retryScheduleMs: endpoint.schedule,
      attemptTimeoutMs: endpoint.timeout,
      versions: endpoint.versions.map((version) => ({
        validFrom: version.from,
        validUntil: version.until,
        eventTypes: version.types,
        labels: version.labels,
        filter: version.filter,
      })),
    })),
  };
}

function sealedOf({ secrets, headers, signingKeys, auth, tls }: LoadedEndpoint) {
  if (secrets === undefined || headers === undefined || signingKeys === undefined) return {};
  return {
    sealedSecrets: secrets,
    sealedHeaders: headers,
    sealedSigningKeys: signingKeys,
    sealedAuth: auth ?? null,
    sealedTls: tls ?? null,
  };
}
