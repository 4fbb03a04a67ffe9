import type { Answer, Api, Tenant } from '@posthorn/system-tests';
import { freePort, type Receiver, startReceiver, waitUntil } from '@posthorn/testkit';
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
const BURIED_ENDPOINTS = 40;
const BURIED_EVENTS = 4;
const DARK_EVENTS = 25;
const WITHIN_MS = 60_000;
/** Of the rig's eight, without that of operational events. */
const LANES = 7;
/** Of configuration and dead letters, each time. */
const CHANGES = 12;

/**
 * Two tenants that are in nobody's ledger: one whose deliveries are dead letters, to be sent again and deleted one by
 * one, and one whose receiver is not there, so that circuits open and close.
 */
interface Stage {
  readonly rig: Rig;
  readonly notes: Notes;
  readonly receiver: Receiver;
  readonly buried: Tenant;
  readonly letters: string[];
  readonly dark: Tenant;
  /** The webhook whose receiver is not there. */
  readonly nowhere: string;
}

export async function prepareChanges(rig: Rig, notes: Notes): Promise<Changes> {
  const stage = await setStage(rig, notes);
  const [one, two] = rig.apis as [Api, Api];
  let made = 0;
  return {
    async make(when) {
      await changeThrough(stage, one, two, { nth: made++, when: `through ingest-1, ${when}` });
      await changeThrough(stage, two, one, { nth: made++, when: `through ingest-2, ${when}` });
      notes.figure('changes', made * CHANGES);
    },
    async finish() {
      const answer = await rig.api.call('DELETE', `/v1/webhooks/${stage.nowhere}`);
      if (answer.status >= 300) throw new Error(`the webhook was not deleted: ${answer.status}`);
    },
    close: () => stage.receiver.close(),
  };
}

async function setStage(rig: Rig, notes: Notes): Promise<Stage> {
  const receiver = await startReceiver();
  const buried = await rig.api.createTenant({ tenantId: 'buried' });
  for (let index = 0; index < BURIED_ENDPOINTS; index++) {
    receiver.answer(`/${index}`, { status: 500 });
    await addBystander(rig, rig.api, buried, { url: receiver.url(`/${index}`) });
  }
  for (let index = 0; index < BURIED_EVENTS; index++) await rig.api.postEvent(buried);
  const letters = await untilBuried(rig, buried);
  for (let index = 0; index < BURIED_ENDPOINTS; index++) receiver.answer(`/${index}`, {});
  receiver.answer('/gone', { status: 410 });
  const dark = await rig.api.createTenant({ tenantId: 'dark' });
  const nowhere = await addBystander(rig, rig.api, dark, { url: `http://127.0.0.1:${await freePort()}/` });
  return { rig, notes, receiver, buried, letters, dark, nowhere };
}

async function addBystander(rig: Rig, api: Api, tenant: Tenant, fields: object): Promise<string> {
  const { webhook_id } = await api.createWebhook(tenant, { ...fields });
  rig.bystanders.add(webhook_id);
  return webhook_id;
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

/** What one process has made the other knows at once. */
async function changeThrough(
  stage: Stage,
  api: Api,
  other: Api,
  { nth, when }: { readonly nth: number; readonly when: string },
): Promise<void> {
  const { rig, notes, letters, dark } = stage;
  const expect = (what: string, { status, body }: Answer<unknown>, wanted: number) =>
    notes.expect(status === wanted, `${what} ${when}: ${status} ${JSON.stringify(body).slice(0, 300)}`);
  const tenant = await makeTenant({ ...rig, api }, MIXED);
  await changeQuotas(stage, api, other, { tenantId: tenant.tenantId, cap: 1_000 + nth, when });
  const webhook = `/v1/webhooks/${tenant.targets[0]!.endpointId}`;
  expect('webhook changed', await other.call('PATCH', webhook, { body: { description: when } }), 200);
  expect('webhook paused', await api.call('POST', `${webhook}/pause`, { body: { mode: 'hold' } }), 200);
  expect('webhook resumed', await other.call('POST', `${webhook}/resume`), 200);
  const lanes = [1 + (nth % LANES), 1 + ((nth + 3) % LANES)];
  const moved = await other.call('PUT', `/v1/tenants/${tenant.tenantId}/lanes`, { body: { lanes } });
  expect('lanes changed', moved, 200);
  expect('dead letter deleted', await api.call('DELETE', `/v1/dlq/${letters.pop()}`), 202);
  await replay(stage, api, when);
  await loseReceiver(stage, api, other, when);
  for (let index = 0; index < DARK_EVENTS; index++) await api.postEvent(dark);
}

async function changeQuotas(
  { notes }: Stage,
  api: Api,
  other: Api,
  { tenantId, cap, when }: { readonly tenantId: string; readonly cap: number; readonly when: string },
): Promise<void> {
  const path = `/v1/quotas/${tenantId}`;
  const { status } = await other.call('PATCH', path, { body: { max_events_per_sec: cap } });
  notes.expect(status === 200, `quotas changed ${when}: ${status}`);
  const { body } = await api.call<{ limits?: { max_events_per_sec: number } }>('GET', path);
  const seen = body.limits?.max_events_per_sec;
  notes.expect(seen === cap, `quotas ${when}: ${seen}, not ${cap}`);
}

async function replay({ notes, letters, receiver }: Stage, api: Api, when: string): Promise<void> {
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

/** A receiver that is gone for good: the recorder changes the configuration. */
async function loseReceiver(stage: Stage, api: Api, other: Api, when: string): Promise<void> {
  const { rig, notes, receiver, buried } = stage;
  const fields = { url: receiver.url('/gone'), event_types: ['gone.now'] };
  const path = `/v1/webhooks/${await addBystander(rig, api, buried, fields)}`;
  await other.postEvent(buried, { type: 'gone.now' });
  const isDisabled = async () => (await other.call<{ state: string }>('GET', path)).body.state === 'disabled';
  await waitUntil(isDisabled, { what: 'the end', timeoutMs: WITHIN_MS, everyMs: 200 }).catch(() =>
    notes.expect(false, `the receiver of ${path} was gone ${when}: it is not disabled`),
  );
}
