import { takeChange } from './changes.ts';
import { inTransaction, type Sql } from './database.ts';
import { forgetHealth } from './endpoint-health.ts';
import {
  type EndpointRow,
  type EndpointState,
  findEndpoint,
  type NewEndpoint,
  openVersion,
  orNull,
  type PauseMode,
} from './endpoints.ts';

/** What is left out stays as it is; null takes a limit or a schedule of its own away. */
export type EndpointChanges = Partial<Omit<NewEndpoint, 'endpointId' | 'sealedSecrets' | 'scope'>>;

/** What a person or the system may make of an endpoint, and why. */
export interface EndpointStateChange {
  readonly state: EndpointState;
  /** Null for an active one. */
  readonly reason: string | null;
  /** Of a paused one. */
  readonly pauseMode?: PauseMode;
}

/** From which states each is reached. A deleted endpoint stays deleted, a disabled one is enabled before it is paused. */
const REACHED_FROM: Readonly<Record<EndpointState, readonly EndpointState[]>> = {
  active: ['paused', 'disabled'],
  paused: ['active', 'paused'],
  disabled: ['active', 'paused'],
  deleted: ['active', 'paused', 'disabled'],
};

/**
 * Changes what is given. Another subscription opens a new version, unless the endpoint matches nothing now: then it is
 * the one that opens when it does again. `change` is null when there is nothing to change. Null for an unknown endpoint,
 * another tenant's, and a deleted one.
 */
export async function updateEndpoint(
  sql: Sql,
  tenantId: string,
  endpointId: string,
  changes: EndpointChanges,
): Promise<{ change: number | null; row: EndpointRow } | null> {
  return inTransaction(sql, async (transaction) => {
    const columns = changedColumns(transaction, changes);
    const resubscribes =
      changes.eventTypes !== undefined || changes.labels !== undefined || changes.filter !== undefined;
    if (Object.keys(columns).length === 0 && !resubscribes) {
      const row = await findEndpoint(transaction, tenantId, endpointId);
      return row === null || row.state === 'deleted' ? null : { change: null, row };
    }
    const change = await takeChange(transaction);
    const changed = await transaction`
      update endpoints set ${transaction({ ...columns, updated_at: new Date() })}
      where endpoint_id = ${endpointId} and tenant_id = ${tenantId} and state <> 'deleted'
      returning endpoint_id`;
    if (changed.length === 0) return null;
    if (resubscribes) await resubscribe(transaction, tenantId, endpointId, change, changes);
    // What another URL answered says nothing about this one.
    if (changes.url !== undefined) await forgetHealth(transaction, endpointId);
    return { change, row: (await findEndpoint(transaction, tenantId, endpointId))! };
  });
}

type Column = string | number | number[] | string[] | null[] | null | ReturnType<Sql['json']>;

function changedColumns(sql: Sql, changes: EndpointChanges): Record<string, Column> {
  const columns = {
    url: changes.url,
    description: changes.description,
    retry_schedule_ms: changes.retryScheduleMs && [...changes.retryScheduleMs],
    attempt_timeout_ms: changes.attemptTimeoutMs,
    max_concurrency: changes.maxConcurrency,
    max_per_sec: changes.maxPerSec,
    max_retry_ms: changes.maxRetryMs,
    method: changes.method,
    sealed_headers: changes.sealedHeaders && sql.json(changes.sealedHeaders),
    metadata: changes.metadata && sql.json(changes.metadata),
    auth: changes.auth === undefined ? undefined : orNull(sql, changes.auth),
    sealed_auth: changes.sealedAuth,
    tls: changes.tls === undefined ? undefined : orNull(sql, changes.tls),
    sealed_tls: changes.sealedTls,
    signatures: changes.signatures && [...changes.signatures],
    ...newSigningKey(sql, changes.signingKey),
  };
  return Object.fromEntries(
    Object.entries(columns).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** The first one: later ones are made by a rotation. */
function newSigningKey(sql: Sql, key: NewEndpoint['signingKey']): Record<string, Column> {
  if (key === undefined) return {};
  return {
    sealed_signing_keys: sql.json([key.sealed]),
    signing_public_keys: [key.publicKey],
    signing_keys_expire_at: [null],
  };
}

async function resubscribe(
  sql: Sql,
  tenantId: string,
  endpointId: string,
  change: number,
  changes: EndpointChanges,
): Promise<void> {
  const before = (await findEndpoint(sql, tenantId, endpointId))!;
  const subscription = {
    endpointId,
    eventTypes: changes.eventTypes ?? before.eventTypes,
    labels: changes.labels ?? before.labels,
    filter: changes.filter === undefined ? before.filter : changes.filter,
  };
  const wasOpen = await closeVersion(sql, endpointId, change);
  await openVersion(sql, tenantId, change, subscription);
  // A closed endpoint stays closed: the version holds for no revision, and is what opens when the endpoint does.
  if (!wasOpen) await closeVersion(sql, endpointId, change);
}

/**
 * Disables, deletes, pauses, or makes active again. An endpoint that is closed (disabled, deleted, paused with `drop`)
 * matches no event from this change on; opening it opens a new version of its last subscription. Null when there is no
 * such endpoint in a state from which that one is reached (`REACHED_FROM`), or it is so already.
 */
export async function changeEndpointState(
  sql: Sql,
  tenantId: string,
  endpointId: string,
  to: EndpointStateChange,
): Promise<{ change: number } | null> {
  return inTransaction(sql, async (transaction) => {
    const change = await takeChange(transaction);
    const pauseMode = to.state === 'paused' ? (to.pauseMode ?? 'hold') : null;
    const changed = await transaction`
      update endpoints set state = ${to.state}, state_reason = ${to.reason}, pause_mode = ${pauseMode},
                           updated_at = now()
      where endpoint_id = ${endpointId} and tenant_id = ${tenantId}
        and state = any(${[...REACHED_FROM[to.state]]}::text[])
        and (state <> ${to.state} or pause_mode is distinct from ${pauseMode})
      returning endpoint_id`;
    if (changed.length === 0) return null;
    const open = to.state === 'active' || pauseMode === 'hold';
    if (open) await reopenVersion(transaction, endpointId, change);
    else await closeVersion(transaction, endpointId, change);
    if (to.state === 'active') await forgetHealth(transaction, endpointId);
    return { change };
  });
}

/** Whether there was an open one. */
async function closeVersion(sql: Sql, endpointId: string, change: number): Promise<boolean> {
  const closed = await sql`
    update endpoint_versions set valid_until = ${change}::bigint, closed_at = now()
    where endpoint_id = ${endpointId} and valid_until is null returning 1`;
  return closed.length > 0;
}

/** Opens a version of the last subscription; one that is open already stays. */
async function reopenVersion(sql: Sql, endpointId: string, change: number): Promise<void> {
  await sql`
    insert into endpoint_versions (endpoint_id, valid_from, tenant_id, event_types, labels, filter)
    select endpoint_id, ${change}::bigint, tenant_id, event_types, labels, filter from (
      select * from endpoint_versions where endpoint_id = ${endpointId} order by valid_from desc limit 1
    ) last where valid_until is not null
    on conflict (endpoint_id, valid_from) do update set valid_until = null, closed_at = null`;
}
