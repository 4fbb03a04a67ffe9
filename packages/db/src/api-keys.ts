import type { Sql } from './database.ts';

export type KeyScope = 'ingest' | 'read' | 'manage' | 'admin';

export interface NewApiKey {
  readonly keyId: string;
  /** SHA-256 of the key: 32 bytes. */
  readonly keyHash: Uint8Array;
  readonly kind: 'operator' | 'tenant';
  /** Null for an operator's. */
  readonly tenantId: string | null;
  readonly name?: string;
  /** All of its kind where they are left out. */
  readonly scopes?: readonly KeyScope[];
  /** Null, or left out: it does not end by itself. */
  readonly expiresAt?: Date | null;
  /** The key that made it. */
  readonly createdBy?: string;
}

/** What a request is judged by. */
export interface ApiKeyRow {
  readonly keyId: string;
  readonly kind: 'operator' | 'tenant';
  readonly tenantId: string | null;
  readonly scopes: readonly KeyScope[];
  readonly expiresAt: Date | null;
}

/** A key that is there already stays as it is, also when it was revoked. False when it was. */
export async function insertApiKey(sql: Sql, key: NewApiKey): Promise<boolean> {
  const inserted = await sql`
    insert into api_keys (key_id, key_hash, kind, tenant_id, name, scopes, expires_at, created_by)
    values (${key.keyId}, ${Buffer.from(key.keyHash)}, ${key.kind}, ${key.tenantId}, ${key.name ?? ''},
            ${key.scopes ? [...key.scopes] : null}::text[], ${key.expiresAt ?? null}, ${key.createdBy ?? null})
    on conflict do nothing returning key_id`;
  return inserted.length > 0;
}

/** Null for unknown, revoked and expired keys, and those of a tenant that was deleted. */
export async function findApiKey(sql: Sql, keyHash: Uint8Array): Promise<ApiKeyRow | null> {
  const [row] = await sql<ApiKeyRow[]>`
    select key_id, kind, tenant_id, scopes, expires_at from api_keys
    where key_hash = ${Buffer.from(keyHash)} and revoked_at is null and (expires_at is null or expires_at > now())
      and (tenant_id is null
           or exists (select 1 from tenants t where t.tenant_id = api_keys.tenant_id and t.state <> 'deleted'))`;
  return row ?? null;
}

/** As it is listed. */
export interface ApiKeyEntry extends ApiKeyRow {
  readonly name: string;
  readonly createdAt: Date;
  /** Microseconds since 1970: what pages are cut by. */
  readonly createdMicros: string;
  readonly revokedAt: Date | null;
}

export interface ApiKeyFilter {
  /** Null for those of all tenants. */
  readonly tenantId: string | null;
  readonly kind: 'operator' | 'tenant' | null;
}

export interface ApiKeyPage {
  readonly limit: number;
  /** The newest first; `prev` reads backwards from the key at the cursor. */
  readonly direction: 'next' | 'prev';
  readonly at: { readonly createdMicros: string; readonly keyId: string } | null;
}

const columns = (sql: Sql) => sql`
  key_id, kind, tenant_id, scopes, expires_at, name, created_at, revoked_at,
  (extract(epoch from created_at) * 1000000)::bigint::text as created_micros`;

/** In the order of reading. */
export async function listApiKeys(
  sql: Sql,
  { tenantId, kind }: ApiKeyFilter,
  { limit, direction, at }: ApiKeyPage,
): Promise<ApiKeyEntry[]> {
  const isForward = direction === 'next';
  const beyond = at
    ? sql`(created_at, key_id) ${isForward ? sql`<` : sql`>`}
          (timestamptz 'epoch' + ${at.createdMicros}::bigint * interval '1 microsecond', ${at.keyId})`
    : sql`true`;
  const order = isForward ? sql`created_at desc, key_id desc` : sql`created_at, key_id`;
  return sql<ApiKeyEntry[]>`
    select ${columns(sql)} from api_keys
    where (${tenantId}::text is null or tenant_id = ${tenantId})
      and (${kind}::text is null or kind = ${kind}) and ${beyond}
    order by ${order} limit ${limit}`;
}

export async function findApiKeyEntry(sql: Sql, keyId: string): Promise<ApiKeyEntry | null> {
  const [row] = await sql<ApiKeyEntry[]>`select ${columns(sql)} from api_keys where key_id = ${keyId}`;
  return row ?? null;
}

export interface ApiKeyChanges {
  readonly name?: string | undefined;
  readonly expiresAt?: Date | null | undefined;
}

/** Null when there is no such key, or it is revoked. */
export async function updateApiKey(
  sql: Sql,
  keyId: string,
  { name, expiresAt }: ApiKeyChanges,
): Promise<ApiKeyEntry | null> {
  const [row] = await sql<ApiKeyEntry[]>`
    update api_keys set
      name = coalesce(${name ?? null}, name),
      expires_at = case when ${expiresAt === undefined}::boolean then expires_at else ${expiresAt ?? null}::timestamptz end
    where key_id = ${keyId} and revoked_at is null returning ${columns(sql)}`;
  return row ?? null;
}

/** False when there is no such key, or it was revoked before. */
export async function revokeApiKey(sql: Sql, keyId: string): Promise<boolean> {
  const revoked = await sql`
    update api_keys set revoked_at = now() where key_id = ${keyId} and revoked_at is null returning key_id`;
  return revoked.length > 0;
}

/**
 * Those that are good and do not end by themselves. Whoever asks holds them until his transaction ends: of two who would
 * each take the other's away, the second waits and then sees one less.
 */
export async function lockLastingAdminKeys(sql: Sql): Promise<string[]> {
  const rows = await sql<{ keyId: string }[]>`
    select key_id from api_keys
    where kind = 'operator' and 'admin' = any(scopes) and revoked_at is null and expires_at is null
    order by key_id for update`;
  return rows.map(({ keyId }) => keyId);
}

/** Those that are good; of operators when `tenantId` is null. */
export async function countLiveApiKeys(sql: Sql, tenantId: string | null): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from api_keys
    where tenant_id is not distinct from ${tenantId} and revoked_at is null
      and (expires_at is null or expires_at > now())`;
  return row!.count;
}

/** Those that are not revoked. */
export async function countOperatorKeys(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from api_keys where kind = 'operator' and revoked_at is null`;
  return row!.count;
}
