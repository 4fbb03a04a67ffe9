import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { waitUntil } from '@posthorn/testkit';
import { nowMs } from '../now.ts';
import { type MadeTenant, makeTenant } from '../rig/make-tenants.ts';
import { untilBacklogIsZero } from '../rig/recover.ts';
import { type Rig, startRig } from '../rig/start-rig.ts';
import { readRecords, writeRecords } from '../rig/write-records.ts';
import type { Scenario } from './scenario.ts';
import { type Notes, takeNotes } from './under-load.ts';

/** Too few for a circuit to open over them. */
const EVENTS = 5;
const SCHEDULE = { RETRY_SCHEDULE: '250ms,250ms' };
const ATTEMPTS = 3;
const WITHIN_MS = 30_000;

type Page = { readonly entries: readonly { readonly delivery_id: string }[]; readonly total: number };

export const replayDeadLetters: Scenario = {
  id: 'D22',
  title: 'dead letters are visible, and each replay of one, by the API, in bulk or by Kafka, sends it once',
  async run(world) {
    const rig = await startRig(world.infra, { environment: SCHEDULE });
    const { notes, figures, broken } = takeNotes();
    try {
      for (const way of [replayOneByOne, replayInBulk, replayByKafka]) {
        const tenant = await buryAll(rig, notes);
        await way(rig, tenant);
        await expectSentOnce(rig, notes, tenant, way.name);
      }
      return { figures, complaints: broken };
    } finally {
      await rig.close();
    }
  },
};

export const replayTwiceAtOnce: Scenario = {
  id: 'D23',
  title: 'a manual retry beside an automatic one shares its budget, and two at once are one',
  async run(world) {
    const rig = await startRig(world.infra, { environment: SCHEDULE });
    const { notes, figures, broken } = takeNotes();
    try {
      const tenant = await makeTenant(rig, [{ label: 'busy', behaviour: { failAttempts: 99 } }]);
      const { eventId } = await rig.events.post(tenant, 'load.any');
      await untilArrivals(rig, tenant, 1);
      const [arrival] = await rig.receiver.arrivals();
      const early = await rig.api.call('POST', `/v1/dlq/${arrival!.deliveryId}/retry`, { key: tenant.key });
      notes.figure('retry_while_under_way', early.status);
      await untilDeadLetters(rig, tenant, 1);
      const attempts = await arrivalsOf(rig, tenant);
      notes.expect(
        attempts.length === ATTEMPTS,
        `${attempts.length} requests of event ${eventId}, not ${ATTEMPTS}`,
      );
      await rig.receiver.behave(tenant.targets[0]!.path, {});
      const path = `/v1/dlq/${arrival!.deliveryId}/retry`;
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => rig.api.call('POST', path, { key: tenant.key })),
      );
      notes.figure(
        'answers',
        answers
          .map(({ status }) => status)
          .sort()
          .join(' '),
      );
      await delay(2_000);
      await untilBacklogIsZero(rig, nowMs());
      const after = (await arrivalsOf(rig, tenant)).length - attempts.length;
      notes.figure('sent_by_ten_retries', after);
      notes.expect(after === 1, `ten retries at once sent ${after} requests`);
      return { figures, complaints: broken };
    } finally {
      await rig.close();
    }
  },
};

/** A tenant whose deliveries have all ended as dead letters, and whose receiver is well again. */
async function buryAll(rig: Rig, notes: Notes): Promise<MadeTenant> {
  const tenant = await makeTenant(rig, [{ label: 'broken', behaviour: { failAttempts: 99 } }]);
  await Promise.all(Array.from({ length: EVENTS }, () => rig.events.post(tenant, 'load.any')));
  await untilDeadLetters(rig, tenant, EVENTS);
  const arrivals = await arrivalsOf(rig, tenant);
  notes.expect(arrivals.length === EVENTS * ATTEMPTS, `${arrivals.length} requests before the dead letters`);
  await rig.receiver.behave(tenant.targets[0]!.path, {});
  return tenant;
}

async function replayOneByOne(rig: Rig, tenant: MadeTenant): Promise<void> {
  const { entries } = await deadLetters(rig, tenant);
  for (const { delivery_id } of entries) {
    const answer = await rig.api.call('POST', `/v1/dlq/${delivery_id}/retry`, { key: tenant.key });
    if (answer.status !== 202) throw new Error(`the retry was answered ${answer.status}`);
  }
}

async function replayInBulk(rig: Rig, tenant: MadeTenant): Promise<void> {
  const body = { tenant_id: tenant.tenantId };
  const answer = await rig.api.call('POST', '/v1/dlq/retry', { key: tenant.key, body });
  if (answer.status !== 202) throw new Error(`the bulk retry was answered ${answer.status}`);
}

/** As a Kafka UI does it: the record as it is, into another topic. */
async function replayByKafka(rig: Rig, tenant: MadeTenant): Promise<void> {
  const reader = await readRecords(rig.infra.addresses, [`${rig.topicPrefix}dead-letters`]);
  const own = () => reader.records.filter(({ headers }) => headers.ce_tenant === tenant.tenantId);
  await waitUntil(() => own().length >= EVENTS, { what: 'dead letters to be read', timeoutMs: 15_000 });
  const copies = own().map((record) => ({ ...record, topic: `${rig.topicPrefix}replay`, partition: 0 }));
  await reader.stop();
  const [one] = copies;
  const forged = { ...one!, value: Buffer.from(`{"forged":"${randomUUID()}"}`) };
  await writeRecords(rig.infra.addresses, [forged, ...copies]);
}

async function expectSentOnce(rig: Rig, notes: Notes, tenant: MadeTenant, way: string): Promise<void> {
  await untilArrivals(rig, tenant, EVENTS * (ATTEMPTS + 1));
  await untilBacklogIsZero(rig, nowMs());
  await delay(1_000);
  const arrivals = await arrivalsOf(rig, tenant);
  const replayed = arrivals.filter(({ status }) => status === 200);
  const hashes = new Set(rig.events.sent.map(({ hash }) => hash));
  const forged = arrivals.filter(({ hash }) => !hashes.has(hash));
  notes.figure(way, replayed.length);
  notes.expect(replayed.length === EVENTS, `${way}: ${replayed.length} requests for ${EVENTS} dead letters`);
  notes.expect(forged.length === 0, `${way}: a changed payload was sent`);
  const { total } = await deadLetters(rig, tenant);
  notes.expect(total === 0, `${way}: ${total} dead letters are left`);
}

const arrivalsOf = async (rig: Rig, tenant: MadeTenant) =>
  (await rig.receiver.arrivals()).filter(({ path }) => path === tenant.targets[0]!.path);

async function deadLetters(rig: Rig, tenant: MadeTenant): Promise<Page> {
  const path = `/v1/dlq?tenant_id=${tenant.tenantId}&limit=1000`;
  return (await rig.api.call<Page>('GET', path, { key: tenant.key })).body;
}

async function untilDeadLetters(rig: Rig, tenant: MadeTenant, count: number): Promise<void> {
  const areThere = async () => (await deadLetters(rig, tenant)).entries.length >= count;
  await waitUntil(areThere, { what: `${count} dead letters`, timeoutMs: WITHIN_MS, everyMs: 200 });
}

/** Those that do not come in time are missing from the figures. */
async function untilArrivals(rig: Rig, tenant: MadeTenant, count: number): Promise<void> {
  const haveCome = async () => (await arrivalsOf(rig, tenant)).length >= count;
  await waitUntil(haveCome, { what: `${count} arrivals`, timeoutMs: WITHIN_MS }).catch(() => undefined);
}
