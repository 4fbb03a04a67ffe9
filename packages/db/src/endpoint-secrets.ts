import { takeChange } from './changes.ts';
import { inTransaction, type Sql } from './database.ts';
import { type EndpointRow, findEndpoint, type NewSigningKey } from './endpoints.ts';

/** Secrets that sign side by side: the current one and those in their grace period. */
export const MAX_SIGNING_SECRETS = 3;

export type RotateSecretResult =
  | { readonly kind: 'rotated'; readonly change: number; readonly row: EndpointRow }
  /** So many are in their grace period that one more would make too many signatures. */
  | { readonly kind: 'too_many'; readonly limit: number };

export interface SecretRotation {
  readonly sealedSecret: string;
  /** For an endpoint that has such keys; left out, or for one that has none, they stay. */
  readonly signingKey?: NewSigningKey;
  readonly graceEndsAt: Date;
  readonly now: Date;
}

interface Secret {
  readonly sealed: string;
  readonly expiresAt: Date | null;
}

interface SigningKey extends Secret {
  readonly publicKey: string;
}

/** What signs, newest first. */
interface Signers {
  readonly secrets: readonly Secret[];
  readonly keys: readonly SigningKey[];
}

/**
 * Puts a new secret first, and a new ed25519 key where there is one. Those that were there sign until `graceEndsAt`, or
 * to their own end where that is sooner; what is past its end is taken out. Null for an unknown endpoint, another
 * tenant's, and a deleted one.
 */
export async function rotateSecret(
  sql: Sql,
  tenantId: string,
  endpointId: string,
  rotation: SecretRotation,
): Promise<RotateSecretResult | null> {
  return inTransaction(sql, async (transaction): Promise<RotateSecretResult | null> => {
    const change = await takeChange(transaction);
    const found = await findSigners(transaction, tenantId, endpointId);
    if (found === null) return null;
    const secrets = inGrace(found.secrets, rotation);
    if (secrets.length >= MAX_SIGNING_SECRETS) return { kind: 'too_many', limit: MAX_SIGNING_SECRETS };
    const isKeyed = rotation.signingKey !== undefined && found.keys.length > 0;
    await setSigners(transaction, endpointId, {
      secrets: [{ sealed: rotation.sealedSecret, expiresAt: null }, ...secrets],
      keys: isKeyed
        ? [{ ...rotation.signingKey!, expiresAt: null }, ...inGrace(found.keys, rotation)]
        : found.keys,
    });
    return { kind: 'rotated', change, row: (await findEndpoint(transaction, tenantId, endpointId))! };
  });
}

/**
 * Only the newest secret, and the newest ed25519 key, signs from now on. `change` is null when that was so already. Null
 * for an unknown endpoint, another tenant's, and a deleted one.
 */
export async function dropPreviousSecrets(
  sql: Sql,
  tenantId: string,
  endpointId: string,
): Promise<{ change: number | null; row: EndpointRow } | null> {
  return inTransaction(sql, async (transaction) => {
    const change = await takeChange(transaction);
    const found = await findSigners(transaction, tenantId, endpointId);
    if (found === null) return null;
    const { secrets, keys } = found;
    const hasPrevious = secrets.length > 1 || keys.length > 1;
    if (hasPrevious)
      await setSigners(transaction, endpointId, { secrets: secrets.slice(0, 1), keys: keys.slice(0, 1) });
    const row = (await findEndpoint(transaction, tenantId, endpointId))!;
    return { change: hasPrevious ? change : null, row };
  });
}

const earlier = (a: Date | null, b: Date): Date => (a !== null && a < b ? a : b);

const inGrace = <T extends Secret>(held: readonly T[], { graceEndsAt, now }: SecretRotation) =>
  held
    .map((each) => ({ ...each, expiresAt: earlier(each.expiresAt, graceEndsAt) }))
    .filter(({ expiresAt }) => expiresAt > now);

interface SignersRow {
  readonly sealedSecrets: string[];
  readonly expire: (string | null)[];
  readonly sealedSigningKeys: string[];
  readonly signingPublicKeys: string[];
  readonly keysExpire: (string | null)[];
}

async function findSigners(sql: Sql, tenantId: string, endpointId: string): Promise<Signers | null> {
  // Times as JSON: the driver takes a null in an array of times for a time.
  const [row] = await sql<SignersRow[]>`
    select sealed_secrets, to_jsonb(secret_expires_at) as expire, sealed_signing_keys, signing_public_keys,
           to_jsonb(signing_keys_expire_at) as keys_expire
    from endpoints
    where endpoint_id = ${endpointId} and tenant_id = ${tenantId} and state <> 'deleted'`;
  if (row === undefined) return null;
  return {
    secrets: row.sealedSecrets.map((sealed, place) => ({ sealed, expiresAt: toDate(row.expire[place]) })),
    keys: row.sealedSigningKeys.map((sealed, place) => ({
      sealed,
      publicKey: row.signingPublicKeys[place]!,
      expiresAt: toDate(row.keysExpire[place]),
    })),
  };
}

const toDate = (text: string | null | undefined): Date | null => (text ? new Date(text) : null);

async function setSigners(sql: Sql, endpointId: string, { secrets, keys }: Signers): Promise<void> {
  await sql`
    update endpoints set sealed_secrets = ${sql.json(secrets.map(({ sealed }) => sealed))},
                         secret_expires_at = ${secrets.map(({ expiresAt }) => expiresAt)}::timestamptz[],
                         sealed_signing_keys = ${sql.json(keys.map(({ sealed }) => sealed))},
                         signing_public_keys = ${keys.map(({ publicKey }) => publicKey)}::text[],
                         signing_keys_expire_at = ${keys.map(({ expiresAt }) => expiresAt)}::timestamptz[],
                         updated_at = now()
    where endpoint_id = ${endpointId}`;
}
