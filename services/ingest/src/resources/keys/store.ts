import {
  type Actor,
  type ApiKeyChanges,
  type ApiKeyEntry,
  type ApiKeyFilter,
  type ApiKeyPage,
  countLiveApiKeys,
  findApiKeyEntry,
  insertApiKey,
  insertAuditEntry,
  inTransaction,
  listApiKeys,
  lockLastingAdminKeys,
  type NewApiKey,
  revokeApiKey,
  type Sql,
  updateApiKey,
} from '@posthorn/db';
import { changeOf } from '../../access/redact.ts';

/** Keys of one tenant, or of operators, that are good at a time; two made at once may go one beyond. */
export const MAX_LIVE_KEYS = 100;

export interface KeyStore {
  list(filter: ApiKeyFilter, page: ApiKeyPage): Promise<ApiKeyEntry[]>;
  find(keyId: string): Promise<ApiKeyEntry | null>;
  /** Null when there are as many as there may be. */
  create(key: NewApiKey, actor: Actor): Promise<ApiKeyEntry | null>;
  change(found: ApiKeyEntry, changes: ApiKeyChanges, actor: Actor): Promise<ApiKeyEntry | RefusedKeyChange>;
  revoke(found: ApiKeyEntry, actor: Actor): Promise<'revoked' | RefusedKeyChange>;
}

/** `gone`: revoked meanwhile. `last_admin`: no admin key without an end would be left. */
export type RefusedKeyChange = 'gone' | 'last_admin';

export function openKeyStore(pool: Sql): KeyStore {
  return {
    list: (filter, page) => listApiKeys(pool, filter, page),
    find: (keyId) => findApiKeyEntry(pool, keyId),
    create: (key, actor) =>
      inTransaction(pool, async (sql) => {
        if ((await countLiveApiKeys(sql, key.tenantId)) >= MAX_LIVE_KEYS) return null;
        await insertApiKey(sql, { ...key, createdBy: actor.keyId });
        const { name = '', scopes = [], expiresAt = null } = key;
        await audit(sql, key, 'created', actor, { after: { kind: key.kind, name, scopes, expiresAt } });
        return findApiKeyEntry(sql, key.keyId);
      }),
    change: (found, changes, actor) =>
      inTransaction(pool, async (sql) => {
        const ends = changes.expiresAt !== undefined && changes.expiresAt !== null;
        if (ends && (await isLastAdmin(sql, found.keyId))) return 'last_admin';
        const changed = await updateApiKey(sql, found.keyId, changes);
        if (changed === null) return 'gone';
        await audit(sql, found, 'updated', actor, changeOf({ ...found }, { ...changes }));
        return changed;
      }),
    revoke: (found, actor) =>
      inTransaction(pool, async (sql) => {
        if (await isLastAdmin(sql, found.keyId)) return 'last_admin';
        if (!(await revokeApiKey(sql, found.keyId))) return 'gone';
        await audit(sql, found, 'revoked', actor, { before: { name: found.name, scopes: found.scopes } });
        return 'revoked';
      }),
  };
}

async function isLastAdmin(sql: Sql, keyId: string): Promise<boolean> {
  const lasting = await lockLastingAdminKeys(sql);
  return lasting.length === 1 && lasting[0] === keyId;
}

const audit = (
  sql: Sql,
  { keyId, tenantId }: Pick<ApiKeyEntry, 'keyId' | 'tenantId'>,
  verb: string,
  actor: Actor,
  change: Pick<Parameters<typeof insertAuditEntry>[1], 'before' | 'after'>,
): Promise<void> =>
  insertAuditEntry(sql, { actor, action: `key.${verb}`, tenantId, subject: keyId, ...change });
