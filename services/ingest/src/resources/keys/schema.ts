import { isPlainText } from '@posthorn/contracts';
import type { ApiKeyEntry } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { pageOf, pageQuery } from '../../http/cursor.ts';
import { AT, KEY, TENANT } from '../../http/examples.ts';
import { tenantFilter, tenantId } from '../../http/fields.ts';
import { Nullable, Time } from '../../http/validation.ts';

const MAX_NAME_CHARS = 100;

const Name = Type.Refine(Type.String({ maxLength: MAX_NAME_CHARS }), isPlainText, () => 'must be plain text');
const Scopes = Type.Array(Type.Enum(['ingest', 'read', 'manage', 'admin']), {
  minItems: 1,
  maxItems: 4,
  uniqueItems: true,
  description:
    '`read` looks, `manage` also changes and replays (and includes `read`), `ingest` sends events and nothing else, `admin` has all of it and the installation’s own keys: for operator keys alone.',
});
export const NewKey = Type.Object(
  {
    tenant_id: Type.Optional(Nullable(tenantId())),
    name: Type.Optional(Name),
    scopes: Scopes,
    expires_at: Type.Optional(Nullable(Time)),
  },
  {
    additionalProperties: false,
    examples: [
      {
        tenant_id: TENANT,
        name: 'order service',
        scopes: ['ingest'],
        expires_at: '2027-11-22T00:00:00Z',
      },
    ],
  },
);
export type NewKey = Static<typeof NewKey>;

export const KeyChanges = Type.Object(
  { name: Type.Optional(Name), expires_at: Type.Optional(Nullable(Time)) },
  { additionalProperties: false, minProperties: 1, examples: [{ expires_at: '2026-12-01T00:00:00Z' }] },
);
export type KeyChanges = Static<typeof KeyChanges>;

export const KeyParams = Type.Object({ key_id: Type.String({ examples: [KEY] }) });

export const KeyQuery = Type.Object({ ...tenantFilter, ...pageQuery }, { additionalProperties: false });

const KEY_EXAMPLE = {
  key_id: KEY,
  kind: 'tenant',
  tenant_id: TENANT,
  name: 'order service',
  scopes: ['ingest'],
  state: 'active',
  created_at: AT,
  expires_at: '2027-11-22T00:00:00.000Z',
  revoked_at: null,
};

const KEY_FIELDS = {
  key_id: Type.String(),
  kind: Type.String({ description: '`operator` or `tenant`.' }),
  tenant_id: Nullable(Type.String()),
  name: Type.String(),
  scopes: Type.Array(Type.String()),
  state: Type.String({ description: '`active`, `expired` or `revoked`.' }),
  created_at: Type.String(),
  expires_at: Nullable(Type.String()),
  revoked_at: Nullable(Type.String()),
};
export const Key = Type.Object(KEY_FIELDS, {
  title: 'Key',
  description: 'The key.',
  examples: [KEY_EXAMPLE],
});
export const CreatedKey = Type.Object(
  { ...KEY_FIELDS, key: Type.String({ description: 'The key itself: shown this once, stored as a hash.' }) },
  {
    title: 'CreatedKey',
    description: 'The key, with its secret.',
    examples: [{ ...KEY_EXAMPLE, key: 'phk_tn_shown_this_once' }],
  },
);
export const KeyPage = pageOf(Key, 'KeyPage', KEY_EXAMPLE);

export function viewKey(row: ApiKeyEntry, nowMs: number): Static<typeof Key> {
  const hasEnded = row.expiresAt !== null && row.expiresAt.getTime() <= nowMs;
  return {
    key_id: row.keyId,
    kind: row.kind,
    tenant_id: row.tenantId,
    name: row.name,
    scopes: [...row.scopes],
    state: row.revokedAt ? 'revoked' : hasEnded ? 'expired' : 'active',
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt?.toISOString() ?? null,
    revoked_at: row.revokedAt?.toISOString() ?? null,
  };
}
