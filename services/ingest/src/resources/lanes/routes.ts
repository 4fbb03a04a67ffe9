import { OPERATIONAL_LANE, pinLanes } from '@posthorn/contracts';
import type { TenantConfig } from '@posthorn/tenant-config';
import Type, { type Static } from 'typebox';
import { actorOf } from '../../access/actor.ts';
import { authoriseCustomer, confirmChange, unknownTenant } from '../../access/authorise.ts';
import type { App, AppParts } from '../../http/app.ts';
import { TENANT } from '../../http/examples.ts';
import { TenantParams } from '../../http/fields.ts';
import { OPERATORS, operation } from '../../http/operation.ts';
import {
  type Fault,
  invalidRequest,
  isProblem,
  type Problem,
  problem,
  sendProblem,
} from '../../http/problem.ts';

const MAX_LANES = 1_024;
const NewLanes = Type.Object(
  {
    count: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LANES })),
    lanes: Type.Optional(Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1, maxItems: MAX_LANES })),
  },
  { additionalProperties: false, minProperties: 1, examples: [{ count: 2 }] },
);

const Lanes = Type.Object(
  {
    tenant_id: Type.String(),
    lanes: Type.Array(Type.Integer()),
    draining_lanes: Type.Array(Type.Integer(), {
      description: 'Lanes that the tenant has left and that still hold something of it.',
    }),
  },
  { title: 'Lanes', examples: [{ tenant_id: TENANT, lanes: [3, 11], draining_lanes: [] }] },
);

export function laneRoutes(app: App, parts: AppParts): void {
  getLanes(app, parts);
  setLanes(app, parts);
}

function getLanes(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getLanes',
    tag: 'Tenants',
    summary: 'Get the lanes of a tenant',
    description: 'Those its deliveries run in, and those it has left that are not empty yet.',
    access: { scope: 'read', callers: OPERATORS },
    params: TenantParams,
    answers: { 200: Lanes },
    problems: ['tenant_not_found', 'tenant_reserved', 'tenant_unavailable'],
  });
  app.get('/tenants/:tenant_id/lanes', declared, async (request, reply) => {
    const tenant = await authoriseCustomer(parts.tenants, request.caller, request.params.tenant_id);
    return isProblem(tenant) ? sendProblem(reply, tenant) : reply.send(viewLanes(tenant));
  });
}

function setLanes(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'setLanes',
    tag: 'Tenants',
    summary: 'Set the lanes of a tenant',
    description:
      'By number, or as they are named. What is queued in a lane that the tenant leaves is still delivered from there.',
    access: { scope: 'admin', callers: OPERATORS },
    params: TenantParams,
    body: NewLanes,
    answers: { 200: Lanes },
    problems: [
      'tenant_not_found',
      'tenant_reserved',
      'tenant_unavailable',
      'too_many_lanes',
      'change_unconfirmed',
    ],
  });
  app.put('/tenants/:tenant_id/lanes', declared, async (request, reply) => {
    const { tenant_id: tenantId } = request.params;
    const { keyId } = request.caller;
    const tenant = await authoriseCustomer(parts.tenants, request.caller, tenantId);
    if (isProblem(tenant)) return sendProblem(reply, tenant);
    const lanes = chooseLanes(request.body, tenantId, parts.lanes);
    if (isProblem(lanes)) return sendProblem(reply, lanes);
    const result = await parts.store.lanes.set(tenantId, lanes, actorOf(request));
    if (result === null) return sendProblem(reply, unknownTenant(tenantId));
    if (result.kind === 'over_cap') return sendProblem(reply, tooManyLanes(result.lanes, result.cap));
    const open = await confirmChange(parts.tenants, result.change, { tenant_id: tenantId });
    if (open) return sendProblem(reply, open);
    parts.log.info({ tenant_id: tenantId, key_id: keyId, lanes }, 'lanes changed');
    return reply.send(viewLanes({ tenantId, ...result }));
  });
}

const viewLanes = (
  tenant: Pick<TenantConfig, 'tenantId' | 'lanes' | 'drainingLanes'>,
): Static<typeof Lanes> => ({
  tenant_id: tenant.tenantId,
  lanes: [...tenant.lanes],
  draining_lanes: [...tenant.drainingLanes],
});

/** By number, the lanes that a new tenant of this id would get; or as they are named. */
function chooseLanes(
  { count, lanes }: Static<typeof NewLanes>,
  tenantId: string,
  partitions: number,
): readonly number[] | Problem {
  const faults: Fault[] = [];
  const available = Math.max(1, partitions - 1);
  if (count !== undefined && lanes !== undefined) {
    faults.push({ pointer: '/count', detail: 'says the same as lanes: give one of them' });
  }
  if (count !== undefined && count > available) {
    faults.push({ pointer: '/count', detail: `is ${count}, but there are ${available} lanes: give fewer` });
  }
  lanes?.forEach((lane, i) => {
    const fault = laneFault(lane, lanes.indexOf(lane) < i, partitions);
    if (fault) faults.push({ pointer: `/lanes/${i}`, detail: fault });
  });
  if (faults.length > 0) return invalidRequest(faults);
  return lanes ?? pinLanes(tenantId, partitions, count);
}

function laneFault(lane: number, isRepeated: boolean, partitions: number): string | null {
  if (isRepeated) return `is ${lane}, which is named already: name each lane once`;
  if (lane >= partitions) return `is ${lane}: lanes are numbered from 0 to ${partitions - 1}`;
  if (lane === OPERATIONAL_LANE && partitions > 1)
    return `is ${lane}, the lane of operational events: choose from 1 to ${partitions - 1}`;
  return null;
}

/** Each lane needs a share of one at least, those that still drain too. */
export const tooManyLanes = (lanes: number, cap: number, tenantId?: string): Problem =>
  problem(
    'too_many_lanes',
    `${lanes} lanes, those that still drain included, but max_concurrent_deliveries is ${cap}: raise it or take fewer lanes`,
    { members: { lanes, limit: cap, ...(tenantId === undefined ? {} : { tenant_id: tenantId }) } },
  );
