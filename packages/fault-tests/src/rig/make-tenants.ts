import type { Target } from '../oracle/ledgers.ts';
import type { Behaviour } from './behaviour.ts';
import type { Sender } from './send-load.ts';
import type { Ground, Rig } from './start-rig.ts';

export interface EndpointPlan {
  readonly label: string;
  readonly behaviour?: Behaviour;
  readonly eventTypes?: readonly string[];
  /** Further fields of the endpoint. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

export interface MadeTenant extends Sender {
  readonly targets: readonly Target[];
}

/** One that answers at once, one that takes its time, one that fails for some: so that retries and waits are under way. */
export const MIXED: readonly EndpointPlan[] = [
  { label: 'prompt' },
  { label: 'slow', behaviour: { delayMs: 200 } },
  { label: 'flaky', behaviour: { failFirstPercent: 20 }, eventTypes: ['load.even'] },
];

/** Each tenant's endpoints are on a host of their own, up to so many. */
const HOSTS = 200;

/** A tenant whose endpoints the oracle knows; its path names all of them. */
export async function makeTenant(
  rig: Rig<Ground>,
  plans: readonly EndpointPlan[],
  fields: Record<string, unknown> = {},
): Promise<MadeTenant> {
  const tenant = await rig.api.createTenant(fields);
  const host = `127.0.0.${2 + (rig.senders.length % HOSTS)}`;
  const targets: Target[] = [];
  for (const plan of plans) {
    const path = `/${tenant.tenantId}/${plan.label}`;
    const eventTypes = plan.eventTypes ?? ['*'];
    if (plan.behaviour) await rig.receiver.behave(path, plan.behaviour);
    const made = await rig.api.createWebhook(tenant, {
      url: rig.receiver.url(path, host),
      event_types: eventTypes,
      ...plan.fields,
    });
    targets.push({ tenantId: tenant.tenantId, endpointId: made.webhook_id, path, eventTypes });
  }
  rig.targets.push(...targets);
  const sender = { tenantId: tenant.tenantId, key: tenant.key };
  rig.senders.push(sender);
  return { ...sender, targets };
}

export async function makeTenants(
  rig: Rig<Ground>,
  count: number,
  plans: readonly EndpointPlan[] = MIXED,
): Promise<MadeTenant[]> {
  const made: MadeTenant[] = [];
  for (let index = 0; index < count; index++) made.push(await makeTenant(rig, plans));
  return made;
}
