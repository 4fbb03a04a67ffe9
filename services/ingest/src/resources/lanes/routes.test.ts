import { OPERATIONAL_LANE } from '@posthorn/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { ACME_KEY, type Answer, type Bundle, setup } from '../../../test/setup.ts';

let bundle: Bundle;
beforeEach(async () => {
  bundle = await setup();
  bundle.addTenant('acme', { maxConcurrentDeliveries: 5 });
});

const put = (body: object, key?: string): Promise<Answer> =>
  bundle.call('PUT', '/v1/tenants/acme/lanes', body, key);

describe('a tenant’s lanes', () => {
  it('are named or counted, and those it leaves drain', async () => {
    expect((await put({ lanes: [3, 7] })).body).toEqual({
      tenant_id: 'acme',
      lanes: [3, 7],
      draining_lanes: [1],
    });
    const { status, body } = await put({ count: 2 });
    expect(status).toBe(200);
    expect(body.lanes).toHaveLength(2);
    expect(body.lanes).not.toContain(OPERATIONAL_LANE);
    expect((await bundle.get('/tenants/acme/lanes')).body).toEqual(body);
    expect((await bundle.get('/tenants/acme')).body).toMatchObject({
      lanes: body.lanes,
      draining_lanes: body.draining_lanes,
    });
  });

  it('are not more than its concurrent deliveries, those that drain included', async () => {
    const { status, body } = await put({ lanes: [2, 3, 4, 5, 6] });
    expect([status, body.code, body.lanes, body.limit]).toEqual([409, 'too_many_lanes', 6, 5]);
    expect((await put({ lanes: [1, 2, 3, 4, 5] })).status).toBe(200);
  });

  it.each([
    [{ count: 16 }, '/count', 'is 16, but there are 15 lanes: give fewer'],
    [{ count: 1, lanes: [1] }, '/count', 'says the same as lanes: give one of them'],
    [{ lanes: [16] }, '/lanes/0', 'is 16: lanes are numbered from 0 to 15'],
    [{ lanes: [1, 2, 1] }, '/lanes/2', 'is 1, which is named already: name each lane once'],
    [{ lanes: [0] }, '/lanes/0', 'is 0, the lane of operational events: choose from 1 to 15'],
  ])('%j is refused and says what would do', async (body, pointer, detail) => {
    const refused = await put(body);
    expect([refused.status, refused.body.errors]).toEqual([400, [{ pointer, detail }]]);
  });

  it('are an operator’s alone', async () => {
    expect((await put({ count: 1 }, ACME_KEY)).body.code).toBe('forbidden');
    expect((await bundle.get('/tenants/acme/lanes', ACME_KEY)).body.code).toBe('forbidden');
    const absent = await bundle.call('PUT', '/tenants/nobody/lanes', { count: 1 });
    expect(absent.body.code).toBe('tenant_not_found');
  });
});

describe('the system’s own tenant', () => {
  beforeEach(() => void bundle.addTenant('posthorn'));

  it('has webhooks that an operator makes', async () => {
    const webhook = { tenant_id: 'posthorn', url: 'https://ops.example/' };
    expect((await bundle.post('/webhooks', webhook)).status).toBe(201);
    expect((await bundle.get('/webhooks?tenant_id=posthorn')).body.data).toHaveLength(1);
    expect((await bundle.post('/webhooks', webhook, ACME_KEY)).body.code).toBe('tenant_not_found');
  });

  it('takes no events, has no quotas, no lanes to choose and no key', async () => {
    const answers = [
      await bundle.post('/events', { tenant_id: 'posthorn', type: 'a', payload: 1 }),
      await bundle.post('/tenants', { tenant_id: 'posthorn' }),
      await bundle.get('/quotas/posthorn'),
      await bundle.call('PATCH', '/quotas/posthorn', { max_webhooks: 1 }),
      await bundle.call('PUT', '/tenants/posthorn/lanes', { count: 1 }),
    ];
    for (const { status, body } of answers) expect([status, body.code]).toEqual([403, 'tenant_reserved']);
    const foreign = await bundle.post('/events', { tenant_id: 'posthorn', type: 'a', payload: 1 }, ACME_KEY);
    expect([foreign.status, foreign.body.code]).toEqual([404, 'tenant_not_found']);
    expect(bundle.sent).toEqual([]);
  });
});

describe('what was set aside', () => {
  it('is shown to operators page by page', async () => {
    const setAsideAt = new Date(bundle.clock.nowMs());
    for (let offset = 0; offset < 3; offset++)
      bundle.engine.setAside.push({
        topic: 'replay',
        partition: 1,
        offset,
        reason: 'ph_mac is wrong',
        headers: {},
        setAsideAt,
      });
    const { status, body } = await bundle.get('/v1/set-aside?limit=2');
    expect(status).toBe(200);
    expect(body.entries).toHaveLength(2);
    expect(body.entries[0]).toEqual({
      topic: 'replay',
      partition: 1,
      offset: 0,
      reason: 'ph_mac is wrong',
      set_aside_at: setAsideAt.toISOString(),
    });
    expect(body.next).not.toBeNull();
    expect((await bundle.get('/set-aside')).body.next).toBeNull();
    expect((await bundle.get('/set-aside', ACME_KEY)).body.code).toBe('forbidden');
  });
});
