import {
  type Actor,
  findPlan,
  insertAuditEntry,
  inTransaction,
  listPlans,
  type NewPlan,
  type PlaceInList,
  type PlanChange,
  type PlanRemoval,
  type PlanRow,
  putPlan,
  removePlan,
  type Sql,
  type TooManyLanes,
} from '@posthorn/db';

/** A change commits together with its audit row: `actor` is who asked. */
export interface PlanStore {
  list(place: PlaceInList): Promise<PlanRow[]>;
  find(planId: string): Promise<PlanRow | null>;
  put(plan: NewPlan, actor: Actor): Promise<PlanChange | TooManyLanes>;
  /** Null when there is none. */
  remove(planId: string, actor: Actor): Promise<PlanRemoval | null>;
}

export function openPlanStore(pool: Sql): PlanStore {
  return {
    list: (place) => listPlans(pool, place),
    find: (planId) => findPlan(pool, planId),
    put: (plan, actor) =>
      inTransaction(pool, async (sql) => {
        const put = await putPlan(sql, plan);
        if (put.kind === 'over_cap') return put;
        await insertAuditEntry(sql, {
          actor,
          action: put.before === null ? 'plan.created' : 'plan.updated',
          tenantId: null,
          subject: plan.planId,
          before: put.before && { ...put.before },
          after: { ...put.plan },
        });
        return put;
      }),
    remove: (planId, actor) =>
      inTransaction(pool, async (sql) => {
        const removed = await removePlan(sql, planId);
        if (removed?.kind !== 'removed') return removed;
        const before = { ...removed.plan };
        await insertAuditEntry(sql, {
          actor,
          action: 'plan.deleted',
          tenantId: null,
          subject: planId,
          before,
        });
        return removed;
      }),
  };
}
