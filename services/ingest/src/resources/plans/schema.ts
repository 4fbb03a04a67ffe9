import { isPlainText } from '@posthorn/contracts';
import type { PlanRow } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { pageOf, pageQuery } from '../../http/cursor.ts';
import { AT } from '../../http/examples.ts';
import { DlqPolicy, Limits, RetentionDays, viewLimits } from '../quotas/schema.ts';

const MAX_NAME_CHARS = 200;
const PLAN_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;
export const PLAN_ID_RULE = 'must be 1–64 of a–z, 0–9, "_" and "-", the first a letter or digit';
export const isPlanId = (text: string): boolean => PLAN_ID.test(text);

export const PlanId = Type.Refine(Type.String({ examples: ['team'] }), isPlanId, () => PLAN_ID_RULE);
export const Name = Type.Refine(
  Type.String({ maxLength: MAX_NAME_CHARS }),
  isPlainText,
  () => 'must be plain text',
);

export const PlanParams = Type.Object({ plan_id: Type.String({ examples: ['team'] }) });

const quotas = {
  max_events_per_sec: 500,
  max_concurrent_deliveries: 100,
  max_dlq_size: 1_000,
  max_webhooks: 100,
};
const fields = { name: 'Team', quotas, dlq_policy: 'refuse', retention_days: 30 } as const;

export const NewPlan = Type.Object(
  {
    name: Type.Optional(Name),
    quotas: Type.Object(Limits.properties, { additionalProperties: false }),
    dlq_policy: Type.Optional(DlqPolicy),
    retention_days: Type.Optional(RetentionDays),
  },
  { additionalProperties: false, examples: [fields] },
);

const PLAN_EXAMPLE = { plan_id: 'team', ...fields, created_at: AT, updated_at: AT };

export const Plan = Type.Object(
  {
    plan_id: Type.String(),
    name: Type.String(),
    quotas: Limits,
    dlq_policy: DlqPolicy,
    retention_days: RetentionDays,
    created_at: Type.String({ format: 'date-time' }),
    updated_at: Type.String({ format: 'date-time' }),
  },
  { title: 'Plan', examples: [PLAN_EXAMPLE] },
);

export const PlanQuery = Type.Object(pageQuery, { additionalProperties: false });
export const PlanPage = pageOf(Plan, 'PlanPage', PLAN_EXAMPLE);

export function viewPlan(row: PlanRow): Static<typeof Plan> {
  return {
    plan_id: row.planId,
    name: row.name,
    quotas: viewLimits(row),
    dlq_policy: row.dlqPolicy,
    retention_days: row.retentionDays,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
