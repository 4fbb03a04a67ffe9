import { SCHEDULE_PRESETS } from '@posthorn/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { ACME_KEY, type Answer, type Bundle, OTHER_KEY, setup } from '../../../test/setup.ts';

let bundle: Bundle;
beforeEach(async () => {
  bundle = await setup();
  bundle.addTenant('acme');
  bundle.addTenant('other');
});

const webhook = { tenant_id: 'acme', url: 'https://a.example/hook' };
const made = async (fields: object = {}): Promise<string> =>
  (await bundle.post('/webhooks', { ...webhook, ...fields }, ACME_KEY)).body.webhook_id;
const patch = (id: string, body: object, key = ACME_KEY): Promise<Answer> =>
  bundle.call('PATCH', `/v1/webhooks/${id}`, body, key);

describe('a webhook', () => {
  it('is changed in what is named alone', async () => {
    const id = await made({ description: 'before', max_per_sec: 5 });
    const changes = {
      url: 'https://b.example/',
      event_types: ['order.*'],
      labels: { region: 'eu' },
      retry_schedule: [1, 2],
      attempt_timeout_ms: 1_000,
      max_concurrency: 3,
      max_retry_seconds: 600,
    };
    const { status, body } = await patch(id, changes);
    expect(status).toBe(200);
    expect(body).toMatchObject({ ...changes, description: 'before', max_per_sec: 5, state: 'active' });
    expect((await bundle.get(`/webhooks/${id}`)).body).toEqual(body);
  });

  it('gets its limits back to the defaults with null', async () => {
    const id = await made({ max_concurrency: 1, max_per_sec: 1, max_retry_seconds: 1, retry_schedule: [] });
    const unset = {
      max_concurrency: null,
      max_per_sec: null,
      max_retry_seconds: null,
      attempt_timeout_ms: null,
      retry_schedule: null,
    };
    expect((await patch(id, unset)).body).toMatchObject(unset);
  });

  it.each(['standard', 'aggressive', 'none'] as const)(
    'takes the schedule %s by its name',
    async (preset) => {
      const seconds = SCHEDULE_PRESETS[preset].map((ms) => ms / 1_000);
      const id = await made({ retry_schedule: preset });
      expect((await bundle.get(`/webhooks/${id}`)).body.retry_schedule).toEqual(seconds);
      expect((await patch(id, { retry_schedule: 'default' })).body.retry_schedule).toBeNull();
      expect((await patch(id, { retry_schedule: preset })).body.retry_schedule).toEqual(seconds);
    },
  );

  it('says what a schedule may be', async () => {
    const { body } = await patch(await made(), { retry_schedule: 'fast' });
    expect(body.errors).toEqual([
      {
        pointer: '/retry_schedule',
        detail: 'must be array or "default" or "standard" or "aggressive" or "none"',
      },
    ]);
  });

  it('is paused, resumed, disabled and enabled, each time with its reason', async () => {
    const id = await made();
    const states: unknown[] = [];
    const note = ({ status, body }: Answer) =>
      states.push([status, body.state, body.state_reason, body.pause_mode]);
    note(await bundle.post(`/webhooks/${id}/pause`, { mode: 'hold' }, ACME_KEY));
    note(await bundle.post(`/webhooks/${id}/pause`, { mode: 'drop' }, ACME_KEY));
    note(await bundle.post(`/webhooks/${id}/resume`, undefined, ACME_KEY));
    note(await bundle.post(`/webhooks/${id}/resume`, undefined, ACME_KEY));
    note(await patch(id, { enabled: false, description: 'gone' }));
    note(await patch(id, { enabled: true }));
    expect(states).toEqual([
      [200, 'paused', 'person', 'hold'],
      [200, 'paused', 'person', 'drop'],
      [200, 'active', null, null],
      [200, 'active', null, null],
      [200, 'disabled', 'person', null],
      [200, 'active', null, null],
    ]);
    expect(bundle.engine.audited.map(({ action }) => action)).toEqual([
      'endpoint.paused',
      'endpoint.paused',
      'endpoint.resumed',
      'endpoint.updated',
      'endpoint.disabled',
      'endpoint.updated',
      'endpoint.enabled',
    ]);
  });

  it('that is disabled is neither paused nor resumed', async () => {
    const id = await made();
    await patch(id, { enabled: false });
    const paused = await bundle.post(`/webhooks/${id}/pause`, { mode: 'hold' });
    const resumed = await bundle.post(`/webhooks/${id}/resume`, undefined);
    for (const { status, body } of [paused, resumed])
      expect([status, body.code]).toEqual([409, 'webhook_disabled']);
  });

  it('that is deleted is absent from then on', async () => {
    const id = await made();
    const { status, text } = await bundle.call('DELETE', `/webhooks/${id}`, undefined, ACME_KEY);
    expect([status, text]).toEqual([204, '']);
    expect((await bundle.get(`/webhooks/${id}`)).status).toBe(404);
    expect((await bundle.call('DELETE', `/webhooks/${id}`)).body.code).toBe('webhook_not_found');
    expect((await patch(id, { enabled: true })).body.code).toBe('webhook_not_found');
  });

  it('of another tenant cannot be told from one that never was', async () => {
    const id = await made();
    const answers = [
      await patch(id, { description: 'mine' }, OTHER_KEY),
      await bundle.call('DELETE', `/webhooks/${id}`, undefined, OTHER_KEY),
      await bundle.post(`/webhooks/${id}/pause`, { mode: 'hold' }, OTHER_KEY),
      await bundle.post(`/webhooks/${id}/resume`, undefined, OTHER_KEY),
      await bundle.post(`/webhooks/${id}/cancel`, undefined, OTHER_KEY),
      await bundle.post(`/webhooks/${id}/recover`, { since: '2026-01-01T00:00:00Z' }, OTHER_KEY),
      await bundle.post(`/webhooks/${id}/replay-missing`, { since: '2026-01-01T00:00:00Z' }, OTHER_KEY),
    ];
    for (const { status, body } of answers) expect([status, body.code]).toEqual([404, 'webhook_not_found']);
    expect(bundle.engine.audited).toEqual([]);
    expect(bundle.engine.jobs).toEqual([]);
  });

  it('is not said to be changed while a replica does not know it', async () => {
    const id = await made();
    bundle.neverApplied = true;
    for (const { status, body } of [
      await patch(id, { description: 'x' }),
      await bundle.post(`/webhooks/${id}/pause`, { mode: 'hold' }),
      await bundle.call('DELETE', `/webhooks/${id}`),
    ])
      expect([status, body.code, body.webhook_id]).toEqual([503, 'change_unconfirmed', id]);
  });
});
