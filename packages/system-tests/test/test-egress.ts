import { freePort, waitUntil } from '@posthorn/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Endpoint, System, Tenant } from '../src/index.ts';

/** Denied to the worker alone: the URL was stored while it was allowed. */
export const DENIED_BLOCK = '127.66.0.0/16';
const DENIED_HOST = '127.66.0.1';

interface AttemptView {
  readonly attempt: number;
  readonly [field: string]: unknown;
}
type Fields = Readonly<Record<string, unknown>>;

/** What differs between any two attempts, and says nothing of why they failed. */
const IDS_AND_TIMES =
  /_id$|_ids$|_at$|^url$|^curl$|-signature$|^webhook-(id|timestamp)$|^x-webhook-event-id$/;

/** The value with every id, time and duration replaced by its kind: what is left is what a tenant can tell apart. */
function shapeOf(value: unknown, name = ''): unknown {
  if (value === null || typeof value === 'boolean') return value;
  if (IDS_AND_TIMES.test(name)) return typeof value;
  if (typeof value === 'number') return /ms$|duration|timing/.test(name) ? 'milliseconds' : value;
  if (Array.isArray(value)) return value.map((each) => shapeOf(each, name));
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value as Fields).map(([key, each]) => [key, shapeOf(each, key)]));
}

export function testEgress(of: () => System): void {
  describe('an endpoint whose address is blocked', () => {
    let tenant: Tenant;
    let endpoints: readonly Endpoint[];

    beforeAll(async () => {
      const { api } = of();
      tenant = await api.createTenant();
      const port = await freePort();
      const hosts = ['127.0.0.1', DENIED_HOST];
      endpoints = await Promise.all(
        hosts.map((host) => api.createWebhook(tenant, { url: `http://${host}:${port}/in` })),
      );
    });

    const ask = async (path: string): Promise<Fields> => {
      const answer = await of().api.call<Fields>('GET', path, { key: tenant.key });
      expect(answer.status).toBe(200);
      return answer.body;
    };

    /** The page of all that is there of a webhook, once there is as much as expected. */
    const pageOf = (path: string, { webhook_id }: Endpoint, count: number) =>
      waitUntil(
        async () => {
          const page = await ask(`${path}?webhook_id=${webhook_id}`);
          const entries = (page.entries ?? page.data) as readonly AttemptView[];
          return entries.length === count && entries;
        },
        { what: `${count} of ${path}` },
      );

    /** The row of the last attempt may come before the one of its end. */
    const settled = (deliveryId: string) =>
      waitUntil(
        async () => {
          const delivery = await ask(`/v1/deliveries/${deliveryId}`);
          return delivery.state === 'failed' && delivery;
        },
        { what: `delivery ${deliveryId} to have failed` },
      );

    test('looks like one at which nobody listens, in all that the API shows of it', async () => {
      await of().api.postEvent(tenant);
      const shown = await Promise.all(
        endpoints.map(async (endpoint) => {
          const dead = await pageOf('/v1/dlq', endpoint, 1);
          const attempts = await pageOf('/v1/attempts', endpoint, 6);
          const [attempt] = attempts;
          return shapeOf({
            attempts,
            dead,
            attempt: await ask(`/v1/attempts/${attempt!.attempt_id}`),
            delivery: await settled(String(attempt!.delivery_id)),
          });
        }),
      );
      expect(shown[1]).toEqual(shown[0]);
      expect(shown[0]).toMatchObject({
        attempts: [{ failure: 'connect', status: null }, {}, {}, {}, {}, {}],
      });
      expect(JSON.stringify(shown)).toContain('connection refused');
    });

    test('looks like one in a test of it as well', async () => {
      const answers = await Promise.all(
        endpoints.map(async ({ webhook_id }) => {
          const { status, body } = await of().api.call('POST', `/v1/webhooks/${webhook_id}/test`, {
            body: {},
            key: tenant.key,
          });
          return shapeOf({ status, body });
        }),
      );
      expect(answers[1]).toEqual(answers[0]);
      expect(answers[0]).toMatchObject({ status: 200 });
    });

    test('is told apart by operators: the true reason is in the log and counted', async () => {
      const worker = of().service('worker');
      const line = await worker.waitForLine(({ msg }) => msg === 'address blocked', {
        what: 'the log of it',
      });
      expect(String(line.origin)).toContain(DENIED_HOST);
      expect(String(line.reason)).toContain('EGRESS_DENIED_CIDRS');
    });
  });

  test('a webhook that leads back to this system ends there: no event comes of it', async () => {
    const { api, url, operatorKey } = of();
    const tenant = await api.createTenant();
    const headers = { authorization: `Bearer ${operatorKey}` };
    const looping = await api.createWebhook(tenant, { url: `${url}/v1/events`, headers });
    await api.postEvent(tenant);
    const attempts = await waitUntil(
      async () => {
        const path = `/v1/attempts?webhook_id=${looping.webhook_id}`;
        const { body } = await api.call<{ data: AttemptView[] }>('GET', path, { key: tenant.key });
        return body.data.length > 0 && body.data;
      },
      { what: 'an attempt' },
    );
    expect(attempts[0]).toMatchObject({ failure: 'http_5xx', status: 508 });
    const events = await waitUntil(
      async () => {
        const { body } = await api.call<{ data: unknown[] }>('GET', '/v1/events', { key: tenant.key });
        return body.data.length > 0 && body.data;
      },
      { what: 'the event to be recorded' },
    );
    expect(events).toHaveLength(1);
  });
}
