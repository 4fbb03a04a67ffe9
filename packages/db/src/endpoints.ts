import type { JSONValue } from 'postgres';
import { takeChange } from './changes.ts';
import { inTransaction, type Sql } from './database.ts';
import type { PlaceInList } from './place-in-list.ts';

export type EndpointState = 'active' | 'paused' | 'disabled' | 'deleted';
/** What becomes of events that come while an endpoint is paused: they wait, or are not matched. */
export type PauseMode = 'hold' | 'drop';
export type RequestMethod = 'POST' | 'PUT';
/** Whose events an endpoint gets; `all_tenants` is for the operator's own. */
export type EndpointScope = 'tenant' | 'all_tenants';
/** JSON that `compileFilter` in contracts takes. */
export type ContentFilter = Readonly<Record<string, unknown>>;

/** Null: the service's default, or no limit of its own. */
export interface EndpointLimits {
  /** Deliveries under way at once. */
  readonly maxConcurrency: number | null;
  /** Deliveries a second. */
  readonly maxPerSec: number | null;
  /** The time budget of one round. */
  readonly maxRetryMs: number | null;
}

/** JSON as the API shows it: a mask stands in place of what is secret. */
export type ShownJson = Readonly<Record<string, string>>;

/** How requests to an endpoint are authorised; each with all of it sealed beside what is shown. Null for none. */
export interface EndpointAuth {
  readonly auth: ShownJson | null;
  readonly sealedAuth: string | null;
  /** Certificates, by which each side is known. */
  readonly tls: ShownJson | null;
  readonly sealedTls: string | null;
}

/** Which signatures requests carry: HMACs by the secrets, or by ed25519 keys. */
export type SignatureScheme = 'v1' | 'v1a';

/** An ed25519 key: the private half sealed, the public one as receivers are given it. */
export interface NewSigningKey {
  readonly sealed: string;
  readonly publicKey: string;
}

export interface PublicKeyRow {
  readonly publicKey: string;
  /** RFC 3339; until when it signs, null: no end. */
  readonly expiresAt: string | null;
}

/** What of an endpoint's requests is its own, and what its owner noted. */
export interface EndpointRequest {
  readonly method: RequestMethod;
  /** By name in lower case, each value sealed for its name (`headerField` in tenant-config). */
  readonly sealedHeaders: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface NewEndpoint
  extends Partial<EndpointLimits>,
    Partial<EndpointRequest>,
    Partial<EndpointAuth> {
  readonly endpointId: string;
  readonly url: string;
  readonly description: string;
  readonly eventTypes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Null, or left out, for none. */
  readonly filter?: ContentFilter | null;
  /** Left out: `tenant`. */
  readonly scope?: EndpointScope;
  /** Newest first, each sealed (`sealSecret` in secrets). */
  readonly sealedSecrets: readonly string[];
  /** Left out: `v1` alone. `v1a` needs a key. */
  readonly signatures?: readonly SignatureScheme[];
  readonly signingKey?: NewSigningKey;
  readonly retryScheduleMs: readonly number[] | null;
  readonly attemptTimeoutMs: number | null;
}

/** An endpoint as it is now. Of a closed one (disabled, deleted) the last subscription. */
export interface EndpointRow extends EndpointLimits, EndpointRequest, EndpointAuth {
  readonly endpointId: string;
  readonly tenantId: string;
  readonly url: string;
  readonly description: string;
  readonly eventTypes: string[];
  readonly labels: Record<string, string>;
  readonly filter: ContentFilter | null;
  readonly scope: EndpointScope;
  readonly retryScheduleMs: number[] | null;
  readonly attemptTimeoutMs: number | null;
  readonly state: EndpointState;
  readonly stateReason: string | null;
  /** Null unless it is paused. */
  readonly pauseMode: PauseMode | null;
  /** Newest first; until when (RFC 3339) each signs, null: no end. Those past their end are left out. */
  readonly secretsExpireAt: (string | null)[];
  readonly signatures: SignatureScheme[];
  /** Of its ed25519 keys, newest first, as for secrets. They stay when `v1a` is no more asked for. */
  readonly publicKeys: PublicKeyRow[];
  /** The URL that agreed to get its requests, and when; null for none. */
  readonly verifiedUrl: string | null;
  readonly verifiedAt: Date | null;
  /** The number of its last change. */
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type CreateEndpointResult =
  | { readonly kind: 'created'; readonly change: number; readonly createdAt: Date }
  | { readonly kind: 'unknown_tenant' }
  | { readonly kind: 'too_many'; readonly limit: number };

/** Creates an endpoint that matches events from its change on. */
export async function createEndpoint(
  sql: Sql,
  tenantId: string,
  endpoint: NewEndpoint,
): Promise<CreateEndpointResult> {
  return inTransaction(sql, async (transaction): Promise<CreateEndpointResult> => {
    // Taken first: it makes concurrent changes wait, so the count below holds until this one commits.
    const change = await takeChange(transaction);
    const [quota] = await transaction<{ limit: number; count: number }[]>`
      select max_webhooks as limit, (
        select count(*)::int from endpoints
        where endpoints.tenant_id = quotas.tenant_id and state <> 'deleted'
      ) as count
      from quotas join tenants using (tenant_id)
      where tenant_id = ${tenantId} and tenants.state <> 'deleted'`;
    if (!quota) return { kind: 'unknown_tenant' };
    if (quota.count >= quota.limit) return { kind: 'too_many', limit: quota.limit };
    const signingKeys = endpoint.signingKey ? [endpoint.signingKey] : [];
    const [created] = await transaction<{ createdAt: Date }[]>`
      insert into endpoints
        (endpoint_id, tenant_id, url, description, sealed_secrets, retry_schedule_ms, attempt_timeout_ms,
         max_concurrency, max_per_sec, max_retry_ms, method, sealed_headers, metadata, scope, auth, sealed_auth,
         tls, sealed_tls, signatures, sealed_signing_keys, signing_public_keys, signing_keys_expire_at)
      values (${endpoint.endpointId}, ${tenantId}, ${endpoint.url}, ${endpoint.description},
              ${transaction.json([...endpoint.sealedSecrets])},
              ${endpoint.retryScheduleMs && [...endpoint.retryScheduleMs]}::int[], ${endpoint.attemptTimeoutMs},
              ${endpoint.maxConcurrency ?? null}, ${endpoint.maxPerSec ?? null}, ${endpoint.maxRetryMs ?? null},
              ${endpoint.method ?? 'POST'}, ${transaction.json(endpoint.sealedHeaders ?? {})},
              ${transaction.json(endpoint.metadata ?? {})}, ${endpoint.scope ?? 'tenant'},
              ${orNull(transaction, endpoint.auth)}, ${endpoint.sealedAuth ?? null},
              ${orNull(transaction, endpoint.tls)}, ${endpoint.sealedTls ?? null},
              ${[...(endpoint.signatures ?? ['v1'])]}::text[],
              ${transaction.json(signingKeys.map(({ sealed }) => sealed))},
              ${signingKeys.map(({ publicKey }) => publicKey)}::text[],
              ${signingKeys.map(() => null)}::timestamptz[])
      returning created_at`;
    await openVersion(transaction, tenantId, change, endpoint);
    return { kind: 'created', change, createdAt: created!.createdAt };
  });
}

/** SQL's null for none, not JSON's. */
export const orNull = (sql: Sql, shown: ShownJson | null | undefined) =>
  shown === null || shown === undefined ? null : sql.json(shown);

/** A subscription that holds from `change` on. */
export async function openVersion(
  sql: Sql,
  tenantId: string,
  change: number,
  subscription: Pick<NewEndpoint, 'endpointId' | 'eventTypes' | 'labels' | 'filter'>,
): Promise<void> {
  const filter = subscription.filter ? sql.json(subscription.filter as JSONValue) : null;
  await sql`
    insert into endpoint_versions (endpoint_id, valid_from, tenant_id, event_types, labels, filter)
    values (${subscription.endpointId}, ${change}::bigint, ${tenantId},
            ${[...subscription.eventTypes]}::text[], ${sql.json(subscription.labels)},
            coalesce(${filter}::jsonb, 'null'))
    on conflict (endpoint_id, valid_from) do update set
      event_types = excluded.event_types, labels = excluded.labels, filter = excluded.filter, valid_until = null,
      closed_at = null`;
}

/** Null for an unknown one and for another tenant's; deleted ones are found. */
export async function findEndpoint(
  sql: Sql,
  tenantId: string,
  endpointId: string,
): Promise<EndpointRow | null> {
  const [row] = await sql<EndpointRow[]>`
    select ${endpointColumns(sql)}
    from endpoints e join lateral (${lastVersion(sql)}) v on true
    where e.endpoint_id = ${endpointId} and e.tenant_id = ${tenantId}`;
  return row ?? null;
}

/** For callers that may act for any tenant and know only the endpoint's id. */
export async function findEndpointOfAnyTenant(sql: Sql, endpointId: string): Promise<EndpointRow | null> {
  const [row] = await sql<EndpointRow[]>`
    select ${endpointColumns(sql)}
    from endpoints e join lateral (${lastVersion(sql)}) v on true
    where e.endpoint_id = ${endpointId}`;
  return row ?? null;
}

/** Which endpoints are asked for; null is no condition. */
export interface EndpointFilter {
  readonly tenantId: string | null;
  /** Left out: `tenant`. */
  readonly scope?: EndpointScope;
  readonly state: Exclude<EndpointState, 'deleted'> | null;
  /** Those that get this type. */
  readonly eventType: string | null;
  /** Those that carry all of all. */
  readonly labels: readonly Readonly<Record<string, string>>[];
  /** In the URL, in any case. */
  readonly urlText: string | null;
}

/** Endpoints that are not deleted, in the order of their ids (of their creation), or backwards. */
export async function listEndpoints(
  sql: Sql,
  filter: EndpointFilter,
  { at, backwards, limit }: PlaceInList,
): Promise<EndpointRow[]> {
  const { tenantId, state, eventType, urlText } = filter;
  const none = sql``;
  return sql<EndpointRow[]>`
    select ${endpointColumns(sql)}
    from endpoints e join lateral (${lastVersion(sql)}) v on true
    where e.state <> 'deleted' and e.scope = ${filter.scope ?? 'tenant'}
      ${tenantId === null ? none : sql`and e.tenant_id = ${tenantId}`}
      ${at === null ? none : sql`and e.endpoint_id ${backwards ? sql`<` : sql`>`} ${at}`}
      ${state === null ? none : sql`and e.state = ${state}`}
      ${eventType === null ? none : sql`and v.event_types && ${typeFilters(eventType)}::text[]`}
      and not exists (select from jsonb_array_elements(${sql.json(filter.labels)}) wanted where not v.labels @> wanted)
      ${urlText === null ? none : sql`and strpos(lower(e.url), lower(${urlText})) > 0`}
    order by e.endpoint_id ${backwards ? sql`desc` : none} limit ${limit}`;
}

/** The filters that match a type: itself, all, and the prefixes of it (`order.*` does not match `order`). */
function typeFilters(eventType: string): string[] {
  const parts = eventType.split('.');
  const prefixes = parts.slice(0, -1).map((_, i) => `${parts.slice(0, i + 1).join('.')}.*`);
  return ['*', eventType, ...prefixes];
}

const endpointColumns = (sql: Sql) => sql`
  e.endpoint_id, e.tenant_id, e.url, e.description, v.event_types, v.labels, v.filter, e.scope, e.retry_schedule_ms,
  e.attempt_timeout_ms, e.max_concurrency, e.max_per_sec, e.max_retry_ms, e.state, e.state_reason, e.pause_mode,
  e.method, e.sealed_headers, e.metadata, e.auth, e.sealed_auth, e.tls, e.sealed_tls, e.verified_url, e.verified_at, e.revision, e.created_at, e.updated_at,
  (select coalesce(jsonb_agg(e.secret_expires_at[place] order by place)
     filter (where coalesce(e.secret_expires_at[place] > now(), true)), '{}')
   from generate_series(1, jsonb_array_length(e.sealed_secrets)) as place) as secrets_expire_at,
  e.signatures,
  (select coalesce(jsonb_agg(jsonb_build_object(
       'publicKey', e.signing_public_keys[place], 'expiresAt', e.signing_keys_expire_at[place]) order by place)
     filter (where coalesce(e.signing_keys_expire_at[place] > now(), true)), '[]')
   from generate_series(1, cardinality(e.signing_public_keys)) as place) as public_keys`;

const lastVersion = (sql: Sql) => sql`
  select event_types, labels, filter from endpoint_versions
  where endpoint_versions.endpoint_id = e.endpoint_id order by valid_from desc limit 1`;
