import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { type Api, ApiError } from './api.ts';
import type { DemoReceiver } from './receiver.ts';

export type DemoEndpoint = 'well' | 'shaky' | 'broken';
export type DemoTenant = {
  readonly tenantId: string;
  readonly tenantKey: string;
  readonly receiverPort: number;
  readonly webhookIds: Readonly<Record<DemoEndpoint, string>>;
};

/** Short, so that the first dead letter is there within seconds. */
const BROKEN_SCHEDULE_S = [1, 2];
const EVENT_TYPES: Readonly<Record<DemoEndpoint, string[]>> = {
  well: ['*'],
  shaky: ['order.*'],
  broken: ['invoice.paid'],
};

export async function readDemoTenant(file: string): Promise<DemoTenant | undefined> {
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  return kept ? JSON.parse(kept) : undefined;
}

/** The tenant of earlier runs if the system still knows it and its receiver is where it was, else a new one. */
export async function ensureDemoTenant(api: Api, receiver: DemoReceiver, file: string): Promise<DemoTenant> {
  const kept = await readDemoTenant(file);
  if (kept && kept.receiverPort === receiver.port && (await isKnown(api, kept))) return kept;
  const { tenantId, tenantKey } = await createTenant(api);
  const [well, shaky, broken] = await Promise.all(
    (['well', 'shaky', 'broken'] as const).map((endpoint) =>
      createEndpoint(api, tenantId, endpoint, receiver),
    ),
  );
  const webhookIds = { well: well!, shaky: shaky!, broken: broken! };
  const tenant = { tenantId, tenantKey, receiverPort: receiver.port, webhookIds };
  await writeFile(file, JSON.stringify(tenant), { mode: 0o600 });
  return tenant;
}

async function isKnown(api: Api, tenant: DemoTenant): Promise<boolean> {
  try {
    await Promise.all(Object.values(tenant.webhookIds).map((id) => api.get(`/v1/webhooks/${id}`)));
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false;
    throw error;
  }
}

/** `demo`, or a name beside it when an earlier one is there whose key is lost. */
async function createTenant(api: Api): Promise<{ tenantId: string; tenantKey: string }> {
  const create = async (tenantId: string) => {
    // An hour's run makes more dead letters than the quota: the oldest go, so that no event is ever refused for them.
    const body = { tenant_id: tenantId, name: 'Demo', dlq_policy: 'drop_oldest' };
    const made = await api.post<{ api_key: string }>('/v1/tenants', body);
    return { tenantId, tenantKey: made.api_key };
  };
  try {
    return await create('demo');
  } catch (error) {
    if (error instanceof ApiError && error.status === 409)
      return create(`demo-${randomBytes(3).toString('hex')}`);
    throw error;
  }
}

async function createEndpoint(
  api: Api,
  tenantId: string,
  endpoint: DemoEndpoint,
  receiver: DemoReceiver,
): Promise<string> {
  const made = await api.post<{ webhook_id: string; state_reason: string | null }>('/v1/webhooks', {
    tenant_id: tenantId,
    url: receiver.url(`/${endpoint}`),
    event_types: EVENT_TYPES[endpoint],
    ...(endpoint === 'broken' ? { retry_schedule: BROKEN_SCHEDULE_S } : {}),
  });
  // With ENDPOINT_VERIFICATION=required it gets nothing until its receiver has agreed.
  if (made.state_reason === 'unverified') await api.post(`/v1/webhooks/${made.webhook_id}/verify`, {});
  return made.webhook_id;
}
