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

/** Null for unknown, revoked and expired keys. */
export async function findApiKey(sql: Sql, keyHash: Uint8Array): Promise<ApiKeyRow | null> {
  const [row] = await sql<ApiKeyRow[]>`
    select key_id, kind, tenant_id, scopes, expires_at from api_keys
    where key_hash = ${Buffer.from(keyHash)} and revoked_at is null and (expires_at is null or expires_at > now())`;
  return row ?? null;
}

/** False when there is no such key, or it was revoked before. */
export async function revokeApiKey(sql: Sql, keyId: string): Promise<boolean> {
  const revoked = await sql`
    update api_keys set revoked_at = now() where key_id = ${keyId} and revoked_at is null returning key_id`;
  return revoked.length > 0;
}

/** Those that are not revoked. */
export async function countOperatorKeys(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from api_keys where kind = 'operator' and revoked_at is null`;
  return row!.count;
}
