import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';

/** An answer of the API: the body parsed when it is JSON, null when it is empty. */
export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: T;
}

export interface Accepted {
  readonly event_id: string;
  readonly webhooks_queued: number;
  readonly delivery_ids?: readonly string[];
}

export interface Endpoint {
  readonly webhook_id: string;
  readonly secret: string;
  /** Where it asks for ed25519. */
  readonly public_key: string | null;
}

export interface DeliveryView {
  readonly delivery_id: string;
  readonly webhook_id: string;
  readonly state: string;
  readonly attempts?: readonly { readonly attempt: number; readonly status: number | null }[];
}

export interface Tenant {
  readonly tenantId: string;
  readonly key: string;
}

/** The HTTP API as a product's backend uses it; verbs throw when the answer is not the one they are named for. */
export interface Api {
  readonly url: string;
  call<T = Record<string, unknown>>(
    method: string,
    path: string,
    options?: {
      body?: unknown;
      raw?: string | Buffer;
      key?: string | null;
      headers?: Record<string, string>;
    },
  ): Promise<Answer<T>>;
  /** A tenant of its own name unless one is given, with quotas wide enough for a test's burst unless given. */
  createTenant(options?: {
    tenantId?: string;
    quotas?: Record<string, number>;
    [field: string]: unknown;
  }): Promise<Tenant>;
  createWebhook(tenant: Tenant, fields: Record<string, unknown>): Promise<Endpoint>;
  postEvent(tenant: Tenant, fields?: Record<string, unknown>): Promise<Accepted>;
}

/** For so long the verbs ask again, where a machine that is busy with other tests keeps ingest from Postgres. */
const MAX_ASKING_MS = 30_000;
const WIDE_QUOTAS = { max_events_per_sec: 100_000, max_concurrent_deliveries: 200, max_dlq_size: 100_000 };

export function createApi(url: string, operatorKey: string): Api {
  const call: Api['call'] = async <T>(
    method: string,
    path: string,
    options: Parameters<Api['call']>[2] = {},
  ) => {
    const { body, raw, key = operatorKey, headers } = options;
    const content = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await request(`${url}${path}`, {
      method: method as 'GET',
      headers: {
        ...(content === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...headers,
      },
      ...(content === undefined ? {} : { body: content }),
    });
    const text = await response.body.text();
    return {
      status: response.statusCode,
      headers: response.headers,
      body: (text ? JSON.parse(text) : null) as T,
    };
  };
  return {
    url,
    call,
    async createTenant({ quotas, tenantId = `t-${randomBytes(5).toString('hex')}`, ...fields } = {}) {
      const body = { tenant_id: tenantId, quotas: { ...WIDE_QUOTAS, ...quotas }, ...fields };
      const made = expectStatus(
        201,
        await askAgain(() => call<{ api_key: string }>('POST', '/v1/tenants', { body })),
      );
      return { tenantId, key: made.api_key };
    },
    async createWebhook(tenant, fields) {
      const body = { tenant_id: tenant.tenantId, event_types: ['*'], ...fields };
      return expectStatus(
        201,
        await askAgain(() => call<Endpoint>('POST', '/v1/webhooks', { body, key: tenant.key })),
      );
    },
    async postEvent(tenant, fields = {}) {
      const body = { tenant_id: tenant.tenantId, type: 'order.created', payload: { n: 1 }, ...fields };
      return expectStatus(
        202,
        await askAgain(() => call<Accepted>('POST', '/v1/events', { body, key: tenant.key })),
      );
    },
  };
}

/** As the answer says: `database_unavailable` is for a moment, and nothing was done. */
async function askAgain<T>(ask: () => Promise<Answer<T>>): Promise<Answer<T>> {
  const untilMs = performance.now() + MAX_ASKING_MS;
  for (;;) {
    const answer = await ask();
    const code = (answer.body as { code?: string } | null)?.code;
    if (answer.status !== 503 || code !== 'database_unavailable') return answer;
    if (performance.now() > untilMs) return answer;
    await delay(Number(answer.headers['retry-after']) * 1_000);
  }
}

function expectStatus<T>(status: number, answer: Answer<T>): T {
  if (answer.status !== status)
    throw new Error(`answered ${answer.status}, not ${status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}
