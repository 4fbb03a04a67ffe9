import type { Sql } from './database.ts';

export interface NewApiKey {
  readonly keyId: string;
  /** SHA-256 of the key: 32 bytes. */
  readonly keyHash: Uint8Array;
  readonly kind: 'operator' | 'tenant';
  /** Null for an operator's. */
  readonly tenantId: string | null;
}

export interface ApiKeyRow {
  readonly keyId: string;
  readonly kind: 'operator' | 'tenant';
  readonly tenantId: string | null;
}

/** A key that is there already stays as it is, also when it was revoked. False when it was. */
export async function insertApiKey(sql: Sql, key: NewApiKey): Promise<boolean> {
  const inserted = await sql`
    insert into api_keys (key_id, key_hash, kind, tenant_id)
    values (${key.keyId}, ${Buffer.from(key.keyHash)}, ${key.kind}, ${key.tenantId})
    on conflict do nothing returning key_id`;
  return inserted.length > 0;
}

/** Null for unknown and revoked keys. */
export async function findApiKey(sql: Sql, keyHash: Uint8Array): Promise<ApiKeyRow | null> {
  const [row] = await sql<ApiKeyRow[]>`
    select key_id, kind, tenant_id from api_keys
    where key_hash = ${Buffer.from(keyHash)} and revoked_at is null`;
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
