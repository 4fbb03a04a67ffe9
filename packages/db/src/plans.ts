import { inTransaction, type Sql } from './database.ts';
import type { PlaceInList } from './place-in-list.ts';
import { changeWithinCaps, type Quotas, type TooManyLanes } from './quotas.ts';
import type { RetentionDays } from './tenants.ts';

/** The plan of a tenant that is given none. It cannot be removed. */
export const DEFAULT_PLAN_ID = 'default';

export interface NewPlan {
  readonly planId: string;
  readonly name: string;
  readonly quotas: Quotas;
  readonly retentionDays: RetentionDays;
}

export interface PlanRow extends Quotas {
  readonly planId: string;
  readonly name: string;
  readonly retentionDays: RetentionDays;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface PlanChange {
  readonly kind: 'changed';
  readonly change: number;
  /** Null when it is new. */
  readonly before: PlanRow | null;
  readonly plan: PlanRow;
}

/** Creates a plan, or puts it in the place of the one with its id: its tenants follow in the same change. */
export async function putPlan(sql: Sql, plan: NewPlan): Promise<PlanChange | TooManyLanes> {
  return changeWithinCaps(sql, async (transaction, change): Promise<PlanChange> => {
    const before = await findPlan(transaction, plan.planId);
    const { quotas } = plan;
    const [row] = await transaction<PlanRow[]>`
      insert into plans (plan_id, name, max_events_per_sec, max_concurrent_deliveries, max_dlq_size, max_webhooks,
                         dlq_policy, retention_days)
      values (${plan.planId}, ${plan.name}, ${quotas.maxEventsPerSec}, ${quotas.maxConcurrentDeliveries},
              ${quotas.maxDlqSize}, ${quotas.maxWebhooks}, ${quotas.dlqPolicy}, ${plan.retentionDays})
      on conflict (plan_id) do update set
        name = excluded.name, max_events_per_sec = excluded.max_events_per_sec,
        max_concurrent_deliveries = excluded.max_concurrent_deliveries, max_dlq_size = excluded.max_dlq_size,
        max_webhooks = excluded.max_webhooks, dlq_policy = excluded.dlq_policy,
        retention_days = excluded.retention_days, updated_at = now()
      returning ${planColumns(transaction)}`;
    return { kind: 'changed', change, before, plan: row! };
  });
}

const planColumns = (sql: Sql) => sql`
  plan_id, name, max_events_per_sec, max_concurrent_deliveries, max_dlq_size, max_webhooks, dlq_policy,
  retention_days, created_at, updated_at`;

/** Null when there is none. */
export async function findPlan(sql: Sql, planId: string): Promise<PlanRow | null> {
  const [row] = await sql<PlanRow[]>`
    select ${planColumns(sql)} from plans where plan_id = ${planId}`;
  return row ?? null;
}

/** By id; backwards, in the opposite order. */
export async function listPlans(sql: Sql, { at, backwards, limit }: PlaceInList): Promise<PlanRow[]> {
  const beyond = at === null ? sql`true` : backwards ? sql`plan_id < ${at}` : sql`plan_id > ${at}`;
  return sql<PlanRow[]>`
    select ${planColumns(sql)} from plans where ${beyond}
    order by plan_id ${backwards ? sql`desc` : sql``} limit ${limit}`;
}

export type PlanRemoval =
  | { readonly kind: 'removed'; readonly plan: PlanRow }
  /** Some tenant has it, or it is the default. */
  | { readonly kind: 'in_use'; readonly tenants: number };

/** Null when there is none. */
export async function removePlan(sql: Sql, planId: string): Promise<PlanRemoval | null> {
  return inTransaction(sql, async (transaction): Promise<PlanRemoval | null> => {
    // Against a tenant that is given the plan meanwhile: its reference waits for this lock.
    const found = await transaction`select 1 from plans where plan_id = ${planId} for update`;
    if (found.length === 0) return null;
    const [use] = await transaction<{ tenants: number }[]>`
      select count(*)::int as tenants from tenants where plan = ${planId}`;
    if (use!.tenants > 0 || planId === DEFAULT_PLAN_ID) return { kind: 'in_use', tenants: use!.tenants };
    const plan = (await findPlan(transaction, planId))!;
    await transaction`delete from plans where plan_id = ${planId}`;
    return { kind: 'removed', plan };
  });
}
