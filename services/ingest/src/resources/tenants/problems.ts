import { invalidRequest, type Problem, problem } from '../../http/problem.ts';

/** `by` has the id, or one that looks like it. */
export const takenId = (tenantId: string, by: string): Problem =>
  tenantId === by
    ? problem('tenant_exists', `there is a tenant ${JSON.stringify(tenantId)} already`)
    : problem('tenant_lookalike', `${JSON.stringify(tenantId)} is easily taken for ${JSON.stringify(by)}`, {
        members: { tenant_id: by },
      });

export const unknownPlan = (planId = ''): Problem =>
  invalidRequest([{ pointer: '/plan', detail: `there is no plan ${JSON.stringify(planId)}` }]);
