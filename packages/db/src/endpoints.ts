import { takeChange } from './changes.ts';
import { inTransaction, type Sql } from './database.ts';

export type EndpointState = 'active' | 'disabled' | 'deleted';

export interface NewEndpoint {
  readonly endpointId: string;
  readonly url: string;
  readonly description: string;
  readonly eventTypes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Newest first, each sealed (`sealSecret` in tenant-config). */
  readonly sealedSecrets: readonly string[];
  readonly retryScheduleMs: readonly number[] | null;
  readonly attemptTimeoutMs: number | null;
}

/** An endpoint as it is now. Of a closed one (disabled, deleted) the last subscription. */
export interface EndpointRow {
  readonly endpointId: string;
  readonly tenantId: string;
  readonly url: string;
  readonly description: string;
  readonly eventTypes: string[];
  readonly labels: Record<string, string>;
  readonly retryScheduleMs: number[] | null;
  readonly attemptTimeoutMs: number | null;
  readonly state: EndpointState;
  readonly stateReason: string | null;
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
      from quotas where tenant_id = ${tenantId}`;
    if (!quota) return { kind: 'unknown_tenant' };
    if (quota.count >= quota.limit) return { kind: 'too_many', limit: quota.limit };
    const [created] = await transaction<{ createdAt: Date }[]>`
      insert into endpoints
        (endpoint_id, tenant_id, url, description, sealed_secrets, retry_schedule_ms, attempt_timeout_ms)
      values (${endpoint.endpointId}, ${tenantId}, ${endpoint.url}, ${endpoint.description},
              ${transaction.json([...endpoint.sealedSecrets])},
              ${endpoint.retryScheduleMs && [...endpoint.retryScheduleMs]}::int[], ${endpoint.attemptTimeoutMs})
      returning created_at`;
    await openVersion(transaction, tenantId, change, endpoint);
    return { kind: 'created', change, createdAt: created!.createdAt };
  });
}

async function openVersion(
  sql: Sql,
  tenantId: string,
  change: number,
  subscription: Pick<NewEndpoint, 'endpointId' | 'eventTypes' | 'labels'>,
): Promise<void> {
  await sql`
    insert into endpoint_versions (endpoint_id, valid_from, tenant_id, event_types, labels)
    values (${subscription.endpointId}, ${change}::bigint, ${tenantId},
            ${[...subscription.eventTypes]}::text[], ${sql.json(subscription.labels)})`;
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

/** A tenant's endpoints that are not deleted, in the order of their ids (of their creation), after `afterId`. */
export async function listEndpoints(
  sql: Sql,
  tenantId: string,
  page: { readonly limit: number; readonly afterId?: string },
): Promise<EndpointRow[]> {
  return sql<EndpointRow[]>`
    select ${endpointColumns(sql)}
    from endpoints e join lateral (${lastVersion(sql)}) v on true
    where e.tenant_id = ${tenantId} and e.state <> 'deleted' and e.endpoint_id > ${page.afterId ?? ''}
    order by e.endpoint_id limit ${page.limit}`;
}

/**
 * Disables, deletes, or enables again. A closed endpoint matches no event from this change on; enabling opens a new
 * version of its last subscription. Null when there is no such endpoint in a state other than `state`; a deleted one
 * stays deleted.
 */
export async function changeEndpointState(
  sql: Sql,
  tenantId: string,
  endpointId: string,
  to: { readonly state: EndpointState; readonly reason: string },
): Promise<{ change: number } | null> {
  return inTransaction(sql, async (transaction) => {
    const change = await takeChange(transaction);
    const changed = await transaction`
      update endpoints set state = ${to.state}, state_reason = ${to.reason}, updated_at = now()
      where endpoint_id = ${endpointId} and tenant_id = ${tenantId}
        and state <> ${to.state} and state <> 'deleted'
      returning endpoint_id`;
    if (changed.length === 0) return null;
    if (to.state === 'active') await reopenVersion(transaction, endpointId, change);
    else await closeVersion(transaction, endpointId, change);
    return { change };
  });
}

async function closeVersion(sql: Sql, endpointId: string, change: number): Promise<void> {
  await sql`
    update endpoint_versions set valid_until = ${change}::bigint, closed_at = now()
    where endpoint_id = ${endpointId} and valid_until is null`;
}

async function reopenVersion(sql: Sql, endpointId: string, change: number): Promise<void> {
  await sql`
    insert into endpoint_versions (endpoint_id, valid_from, tenant_id, event_types, labels)
    select endpoint_id, ${change}::bigint, tenant_id, event_types, labels from endpoint_versions
    where endpoint_id = ${endpointId} order by valid_from desc limit 1`;
}

const endpointColumns = (sql: Sql) => sql`
  e.endpoint_id, e.tenant_id, e.url, e.description, v.event_types, v.labels, e.retry_schedule_ms,
  e.attempt_timeout_ms, e.state, e.state_reason, e.created_at, e.updated_at`;

const lastVersion = (sql: Sql) => sql`
  select event_types, labels from endpoint_versions
  where endpoint_versions.endpoint_id = e.endpoint_id order by valid_from desc limit 1`;
