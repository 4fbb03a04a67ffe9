import { isTenantId } from '@posthorn/contracts';
import type { TenantQuotas, TenantSummary } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { TENANT_ID_RULE } from '../../accept/check-fields.ts';
import { pageOf, pageQuery } from '../../http/cursor.ts';
import { AT, TENANT } from '../../http/examples.ts';
import { Nullable } from '../../http/validation.ts';
import { Name, PlanId } from '../plans/schema.ts';
import { DlqPolicy, GivenLimits, Limits, RetentionDays, viewLimits } from '../quotas/schema.ts';
import { Metadata } from '../webhooks/fields.ts';

export const TenantId = Type.Refine(
  Type.String({
    description:
      'Your own id of the customer: 1–64 of ASCII letters, digits, `_` and `-`, compared byte by byte. One that is easily taken for another tenant’s (`Acme` for `acme`, `a_1` for `a-l`) is refused.',
    examples: [TENANT],
  }),
  isTenantId,
  () => TENANT_ID_RULE,
);
const UnknownEventTypes = Type.Enum(['allow', 'warn', 'reject'], {
  description: 'What becomes of events whose type is not in the catalogue.',
});

export const NewTenant = Type.Object(
  {
    tenant_id: TenantId,
    name: Type.Optional(Name),
    plan: Type.Optional(PlanId),
    metadata: Type.Optional(Metadata),
    quotas: Type.Optional(GivenLimits),
    dlq_policy: Type.Optional(DlqPolicy),
    retention_days: Type.Optional(RetentionDays),
    unknown_event_types: Type.Optional(UnknownEventTypes),
  },
  {
    additionalProperties: false,
    examples: [
      { tenant_id: TENANT, name: 'Customer 123', plan: 'default', metadata: { region: 'eu' } },
      { tenant_id: TENANT, quotas: { max_events_per_sec: 500 }, retention_days: 90 },
    ],
  },
);

export const TenantChanges = Type.Object(
  {
    name: Type.Optional(Name),
    plan: Type.Optional(PlanId),
    metadata: Type.Optional(Metadata),
    retention_days: Type.Optional(Nullable(RetentionDays)),
    unknown_event_types: Type.Optional(UnknownEventTypes),
    enabled: Type.Optional(
      Type.Boolean({
        description: '`false`: new events are refused; what was accepted is delivered, and all can be read.',
      }),
    ),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    examples: [{ name: 'Customer 123 Ltd', plan: 'team' }, { enabled: false }],
  },
);
export type TenantChanges = Static<typeof TenantChanges>;

export const TenantQuery = Type.Object(
  {
    plan: Type.Optional(PlanId),
    state: Type.Optional(Type.Enum(['active', 'disabled'])),
    prefix: Type.Optional(
      Type.Refine(
        Type.String({ description: 'How the id begins.', examples: ['customer-'] }),
        isTenantId,
        () => TENANT_ID_RULE,
      ),
    ),
    ...pageQuery,
  },
  { additionalProperties: false },
);

const fields = {
  tenant_id: Type.String(),
  name: Type.String(),
  state: Type.Enum(['active', 'disabled']),
  plan: Type.String(),
  metadata: Type.Record(Type.String(), Type.String()),
  quotas: Limits,
  dlq_policy: DlqPolicy,
  retention_days: RetentionDays,
  overrides: Type.Array(Type.String(), {
    description: 'Of quotas, policy and retention, what is the tenant’s own; all else is its plan’s.',
  }),
  unknown_event_types: UnknownEventTypes,
  lanes: Type.Array(Type.Integer()),
  draining_lanes: Type.Array(Type.Integer()),
  created_at: Type.String({ format: 'date-time' }),
  updated_at: Type.String({ format: 'date-time' }),
};
const TENANT_EXAMPLE = {
  tenant_id: TENANT,
  name: 'Customer 123',
  state: 'active',
  plan: 'team',
  metadata: { region: 'eu' },
  quotas: {
    max_events_per_sec: 500,
    max_concurrent_deliveries: 100,
    max_dlq_size: 1_000,
    max_webhooks: 100,
  },
  dlq_policy: 'refuse',
  retention_days: 30,
  overrides: [],
  unknown_event_types: 'allow',
  lanes: [3],
  draining_lanes: [],
  created_at: AT,
  updated_at: AT,
} as const;

export const Tenant = Type.Object(fields, { title: 'Tenant', examples: [TENANT_EXAMPLE] });
export const CreatedTenant = Type.Object(
  { ...fields, api_key: Type.String({ description: 'A key of the tenant, shown this once.' }) },
  { title: 'CreatedTenant', examples: [{ ...TENANT_EXAMPLE, api_key: 'phk_tn_…' }] },
);
export const TenantPage = pageOf(Tenant, 'TenantPage', TENANT_EXAMPLE as never);

export function viewTenant(row: TenantSummary & { readonly quotas: TenantQuotas }): Static<typeof Tenant> {
  return {
    tenant_id: row.tenantId,
    name: row.name,
    state: row.state === 'disabled' ? 'disabled' : 'active',
    plan: row.plan,
    metadata: { ...row.metadata },
    quotas: viewLimits(row.quotas),
    dlq_policy: row.quotas.dlqPolicy,
    retention_days: row.retentionDays,
    overrides: [...row.quotas.overrides, ...(row.ownRetention ? ['retention_days'] : [])],
    unknown_event_types: row.unknownEventTypes,
    lanes: row.lanes,
    draining_lanes: row.drainingLanes,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
