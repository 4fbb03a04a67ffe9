import type { EndpointRow } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { AT, TENANT, WEBHOOK } from '../../http/examples.ts';
import { Nullable } from '../../http/validation.ts';
import { Auth, type GivenAuth, Tls } from './auth-fields.ts';
import { MASKED_VALUE } from './header-rules.ts';

/** How a webhook is shown: without its secrets and the values of its headers, to whomever. */

const NullableInteger = Nullable(Type.Integer());
const Time = Type.String({ format: 'date-time' });

const shown = {
  webhook_id: Type.String(),
  tenant_id: Type.String(),
  url: Type.String(),
  description: Type.String(),
  event_types: Type.Array(Type.String()),
  labels: Type.Record(Type.String(), Type.String()),
  filter: Nullable(Type.Record(Type.String(), Type.Unknown())),
  method: Type.Enum(['POST', 'PUT']),
  headers: Type.Record(Type.String(), Type.String(), {
    description: `Names in lower case; every value is \`${MASKED_VALUE}\`.`,
  }),
  signatures: Type.Array(Type.Enum(['v1', 'v1a']), {
    description: 'Which signatures requests carry: `v1` by the secret, `v1a` by ed25519.',
  }),
  public_key: Nullable(
    Type.String({ description: 'Checks `v1a` signatures; null until they are first asked for.' }),
  ),
  previous_public_keys: Type.Array(
    Type.Object({
      public_key: Type.String({ description: '`whpk_` and base64 of 32 bytes.' }),
      expires_at: Nullable(Time),
    }),
    {
      description:
        'Public keys before the current one that check requests as well, until their grace period ends.',
    },
  ),
  auth: Nullable(Auth),
  tls: Nullable(Tls),
  metadata: Type.Record(Type.String(), Type.String()),
  retry_schedule: Nullable(Type.Array(Type.Number())),
  attempt_timeout_ms: NullableInteger,
  max_concurrency: NullableInteger,
  max_per_sec: NullableInteger,
  max_retry_seconds: NullableInteger,
  enabled: Type.Boolean(),
  paused: Type.Boolean(),
  state: Type.Enum(['active', 'paused', 'disabled', 'deleted']),
  state_reason: Nullable(Type.String()),
  pause_mode: Nullable(Type.Enum(['hold', 'drop'])),
  previous_secrets: Type.Array(Type.Object({ expires_at: Nullable(Time) }), {
    description: 'Secrets before the current one that sign as well, until their grace period ends.',
  }),
  verified_at: Nullable(
    Type.String({
      format: 'date-time',
      description:
        'When the receiver at this URL agreed to get requests; null where it did not, or was not asked.',
    }),
  ),
  created_at: Time,
  updated_at: Time,
};

const Shown = Type.Object(shown);

export const WEBHOOK_EXAMPLE: Static<typeof Shown> = {
  webhook_id: WEBHOOK,
  tenant_id: TENANT,
  url: 'https://hooks.example.com/orders',
  description: 'Orders to the ERP',
  event_types: ['order.*'],
  labels: { region: 'eu' },
  filter: { payload: { order: { total: { $gte: 100 } } } },
  method: 'POST',
  headers: { 'x-region': MASKED_VALUE },
  signatures: ['v1', 'v1a'],
  public_key: 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=',
  previous_public_keys: [],
  auth: { type: 'bearer', token: MASKED_VALUE },
  tls: null,
  metadata: { team: 'billing' },
  retry_schedule: null,
  attempt_timeout_ms: null,
  max_concurrency: 5,
  max_per_sec: null,
  max_retry_seconds: null,
  enabled: true,
  paused: false,
  state: 'active',
  state_reason: null,
  pause_mode: null,
  previous_secrets: [],
  verified_at: null,
  created_at: AT,
  updated_at: AT,
};

export const Webhook = Type.Object(shown, {
  title: 'Webhook',
  description: 'The webhook; `ETag` names this state of it.',
  examples: [WEBHOOK_EXAMPLE],
});

export const WebhookWithSecret = Type.Object(
  { ...shown, secret: Type.String({ description: 'Shown this once.' }) },
  {
    title: 'WebhookWithSecret',
    description: 'The webhook, and the secret that signs its requests: it is not shown again.',
    examples: [{ ...WEBHOOK_EXAMPLE, secret: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD' }],
  },
);

export function viewWebhook(row: EndpointRow): Static<typeof Webhook> {
  return {
    webhook_id: row.endpointId,
    tenant_id: row.tenantId,
    url: row.url,
    description: row.description,
    event_types: row.eventTypes,
    labels: row.labels,
    filter: row.filter,
    method: row.method,
    headers: Object.fromEntries(Object.keys(row.sealedHeaders).map((name) => [name, MASKED_VALUE])),
    signatures: row.signatures,
    public_key: row.publicKeys[0]?.publicKey ?? null,
    previous_public_keys: row.publicKeys.slice(1).map(({ publicKey, expiresAt }) => ({
      public_key: publicKey,
      expires_at: toTime(expiresAt),
    })),
    auth: row.auth as GivenAuth | null,
    tls: row.tls,
    metadata: row.metadata,
    retry_schedule: row.retryScheduleMs?.map((ms) => ms / 1_000) ?? null,
    attempt_timeout_ms: row.attemptTimeoutMs,
    max_concurrency: row.maxConcurrency,
    max_per_sec: row.maxPerSec,
    max_retry_seconds: row.maxRetryMs === null ? null : row.maxRetryMs / 1_000,
    enabled: row.state !== 'disabled',
    paused: row.state === 'paused',
    state: row.state,
    state_reason: row.stateReason,
    pause_mode: row.pauseMode,
    previous_secrets: row.secretsExpireAt.slice(1).map((at) => ({ expires_at: toTime(at) })),
    verified_at: row.verifiedUrl === row.url ? (row.verifiedAt?.toISOString() ?? null) : null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

const toTime = (at: string | null): string | null => (at === null ? null : new Date(at).toISOString());
