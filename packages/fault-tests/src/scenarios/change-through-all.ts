import type { Answer, Api, Tenant } from '@posthorn/system-tests';
import { freePort, startReceiver, waitUntil } from '@posthorn/testkit';
import { MIXED, makeTenant } from '../rig/make-tenants.ts';
import type { Rig } from '../rig/start-rig.ts';
import type { Notes } from './under-load.ts';

/** Changes of configuration as people and products make them, through each process of ingest in turn. */
export interface Changes {
  /** @param when for complaints: which versions run by then. */
  make(when: string): Promise<void>;
  /** Ends what would wait for ever. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** Few events at each, so that no circuit opens before they are dead letters. */
const BURIED_ENDPOINTS = 20;
const BURIED_EVENTS = 4;
const DARK_EVENTS = 25;
const WITHIN_MS = 60_000;

/**
 * Two tenants that are in nobody's ledger: one whose deliveries are dead letters, to be sent again and deleted one by
 * one, and one whose receiver is not there, so that circuits open and close.
 */
export async function prepareChanges(rig: Rig, notes: Notes): Promise<Changes> {
  const receiver = await startReceiver();
  const buried = await rig.api.createTenant({ tenantId: 'buried' });
  for (let index = 0; index < BURIED_ENDPOINTS; index++) {
    receiver.answer(`/${index}`, { status: 500 });
    const { webhook_id } = await rig.api.createWebhook(buried, { url: receiver.url(`/${index}`) });
    rig.bystanders.add(webhook_id);
  }
  for (let index = 0; index < BURIED_EVENTS; index++) await rig.api.postEvent(buried);
  const letters = await untilBuried(rig, buried);
  for (let index = 0; index < BURIED_ENDPOINTS; index++) receiver.answer(`/${index}`, {});
  const dark = await rig.api.createTenant({ tenantId: 'dark' });
  const url = `http://127.0.0.1:${await freePort()}/`;
  const { webhook_id: nowhere } = await rig.api.createWebhook(dark, { url });
  rig.bystanders.add(nowhere);
  let made = 0;

  async function makeThrough(api: Api, other: Api, when: string): Promise<void> {
    const expect = (what: string, answer: Answer<unknown>, status: number) =>
      notes.expect(
        answer.status === status,
        `${what} ${when}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 300)}`,
      );
    made += 1;
    // What one process has made the other knows at once.
    const tenant = await makeTenant({ ...rig, api }, MIXED);
    const cap = 1_000 + made;
    const path = `/v1/quotas/${tenant.tenantId}`;
    expect('quotas changed', await other.call('PATCH', path, { body: { max_events_per_sec: cap } }), 200);
    const seen = await api.call<{ limits: { max_events_per_sec: number } }>('GET', path);
    notes.expect(
      seen.body.limits?.max_events_per_sec === cap,
      `quotas ${when}: ${JSON.stringify(seen.body.limits)}, not ${cap}`,
    );
    const webhook = `/v1/webhooks/${tenant.targets[0]!.endpointId}`;
    expect('webhook changed', await other.call('PATCH', webhook, { body: { description: when } }), 200);
    expect('webhook paused', await api.call('POST', `${webhook}/pause`, { body: { mode: 'hold' } }), 200);
    expect('webhook resumed', await other.call('POST', `${webhook}/resume`), 200);
    expect('dead letter deleted', await api.call('DELETE', `/v1/dlq/${letters.pop()}`), 202);
    await replay(api, when);
    for (let index = 0; index < DARK_EVENTS; index++) await api.postEvent(dark);
  }

  async function replay(api: Api, when: string): Promise<void> {
    const deliveryId = letters.pop()!;
    const arrived = () =>
      receiver.arrivals().filter(({ headers }) => headers['webhook-id'] === deliveryId).length;
    const before = arrived();
    const answer = await api.call('POST', `/v1/dlq/${deliveryId}/retry`);
    notes.expect(answer.status === 202, `replay ${when}: ${answer.status} ${JSON.stringify(answer.body)}`);
    await waitUntil(() => arrived() === before + 1, { what: 'the replay', timeoutMs: WITHIN_MS }).catch(() =>
      notes.expect(false, `replay ${when}: it did not arrive`),
    );
  }

  return {
    async make(when) {
      const [one, two] = rig.apis as [Api, Api];
      await makeThrough(one, two, `through ingest-1, ${when}`);
      await makeThrough(two, one, `through ingest-2, ${when}`);
      notes.figure('changes', made * 8);
    },
    async finish() {
      const answer = await rig.api.call('DELETE', `/v1/webhooks/${nowhere}`);
      if (answer.status >= 300) throw new Error(`the webhook was not deleted: ${answer.status}`);
    },
    close: () => receiver.close(),
  };
}

async function untilBuried(rig: Rig, tenant: Tenant): Promise<string[]> {
  const count = BURIED_ENDPOINTS * BURIED_EVENTS;
  const path = `/v1/dlq?tenant_id=${tenant.tenantId}&limit=1000`;
  let ids: string[] = [];
  const areThere = async () => {
    const { body } = await rig.api.call<{ entries: { delivery_id: string }[] }>('GET', path);
    ids = body.entries.map(({ delivery_id }) => delivery_id);
    return ids.length === count;
  };
  await waitUntil(areThere, { what: `${count} dead letters`, timeoutMs: WITHIN_MS, everyMs: 500 });
  return ids;
}
