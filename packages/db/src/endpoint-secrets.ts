import { takeChange } from './changes.ts';
import { inTransaction, type Sql } from './database.ts';
import { type EndpointRow, findEndpoint } from './endpoints.ts';

/** Secrets that sign side by side: the current one and those in their grace period. */
export const MAX_SIGNING_SECRETS = 3;

export type RotateSecretResult =
  | { readonly kind: 'rotated'; readonly change: number; readonly row: EndpointRow }
  /** So many are in their grace period that one more would make too many signatures. */
  | { readonly kind: 'too_many'; readonly limit: number };

export interface SecretRotation {
  readonly sealedSecret: string;
  readonly graceEndsAt: Date;
  readonly now: Date;
}

interface Secret {
  readonly sealed: string;
  readonly expiresAt: Date | null;
}

/**
 * Puts a new secret first. Those that were there sign until `graceEndsAt`, or to their own end where that is sooner;
 * what is past its end is taken out. Null for an unknown endpoint, another tenant's, and a deleted one.
 */
export async function rotateSecret(
  sql: Sql,
  tenantId: string,
  endpointId: string,
  rotation: SecretRotation,
): Promise<RotateSecretResult | null> {
  return inTransaction(sql, async (transaction): Promise<RotateSecretResult | null> => {
    const change = await takeChange(transaction);
    const secrets = await findSecrets(transaction, tenantId, endpointId);
    if (secrets === null) return null;
    const kept = secrets
      .map((secret) => ({ ...secret, expiresAt: earlier(secret.expiresAt, rotation.graceEndsAt) }))
      .filter(({ expiresAt }) => expiresAt > rotation.now);
    if (kept.length >= MAX_SIGNING_SECRETS) return { kind: 'too_many', limit: MAX_SIGNING_SECRETS };
    await setSecrets(transaction, endpointId, [{ sealed: rotation.sealedSecret, expiresAt: null }, ...kept]);
    return { kind: 'rotated', change, row: (await findEndpoint(transaction, tenantId, endpointId))! };
  });
}

/**
 * Only the newest secret signs from now on. `change` is null when that was so already. Null for an unknown endpoint,
 * another tenant's, and a deleted one.
 */
export async function dropPreviousSecrets(
  sql: Sql,
  tenantId: string,
  endpointId: string,
): Promise<{ change: number | null; row: EndpointRow } | null> {
  return inTransaction(sql, async (transaction) => {
    const change = await takeChange(transaction);
    const secrets = await findSecrets(transaction, tenantId, endpointId);
    if (secrets === null) return null;
    const hasPrevious = secrets.length > 1;
    if (hasPrevious) await setSecrets(transaction, endpointId, secrets.slice(0, 1));
    const row = (await findEndpoint(transaction, tenantId, endpointId))!;
    return { change: hasPrevious ? change : null, row };
  });
}

const earlier = (a: Date | null, b: Date): Date => (a !== null && a < b ? a : b);

async function findSecrets(sql: Sql, tenantId: string, endpointId: string): Promise<Secret[] | null> {
  // As JSON: the driver takes a null in an array of times for a time.
  const [row] = await sql<{ sealedSecrets: string[]; expire: (string | null)[] }[]>`
    select sealed_secrets, to_jsonb(secret_expires_at) as expire from endpoints
    where endpoint_id = ${endpointId} and tenant_id = ${tenantId} and state <> 'deleted'`;
  if (row === undefined) return null;
  return row.sealedSecrets.map((sealed, place) => {
    const expire = row.expire[place] ?? null;
    return { sealed, expiresAt: expire === null ? null : new Date(expire) };
  });
}

async function setSecrets(sql: Sql, endpointId: string, secrets: readonly Secret[]): Promise<void> {
  await sql`
    update endpoints set sealed_secrets = ${sql.json(secrets.map(({ sealed }) => sealed))},
                         secret_expires_at = ${secrets.map(({ expiresAt }) => expiresAt)}::timestamptz[],
                         updated_at = now()
    where endpoint_id = ${endpointId}`;
}
