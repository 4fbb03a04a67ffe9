import { setTimeout as delay } from 'node:timers/promises';
import type { Tenant } from '@posthorn/system-tests';
import { nowMs } from '../now.ts';
import { countRecordedEvents } from '../rig/read-record.ts';
import type { Rig } from '../rig/start-rig.ts';
import { expectAnswers } from './expect-answers.ts';
import type { Scenario } from './scenario.ts';
import { type Notes, runUnderLoad } from './under-load.ts';

type Answered = { readonly code?: string; readonly event_id?: string };

const CUT_MS = 8_000;
/** One by one across the cut, so that some are on their way when it comes. */
const KEYS = 60;
const BETWEEN_KEYS_MS = 5;
/** A key is held until it is certain whether its event is there. */
const SETTLED_WITHIN_MS = 60_000;
const ASK_AGAIN_MS = 500;

export const cutProduceReply: Scenario = {
  id: 'D10',
  title: 'when the reply to a produce is cut off the answer is 503; the same key sent again makes one event',
  async run(world) {
    let keyed: Tenant | undefined;
    return runUnderLoad(world, {
      rig: { proxied: true },
      async during(rig, notes) {
        // Without an endpoint, since the oracle knows nothing of these events.
        const tenant = await rig.api.createTenant();
        keyed = tenant;
        const before = rig.events.sent.length;
        const links = rig.links.of('ingest-1').kafka;
        const cut = postOneByOne(rig, tenant);
        await delay((KEYS / 2) * BETWEEN_KEYS_MS);
        const fault = rig.harm('network', 'ingest-1', 'replies of Kafka cut off');
        for (const link of links) link.silence('from-target');
        await delay(CUT_MS);
        for (const link of links) {
          link.heal();
          link.reset();
        }
        rig.heal(fault);
        await expectAnswers(rig, notes, fault.fromMs, fault.fromMs + CUT_MS - 1_000);
        const unknown = rig.events.sent.slice(before).filter(({ answered }) => answered === 'unknown').length;
        notes.figure('outcome_unknown', unknown);
        notes.expect(unknown > 0, 'no answer was cut off');
        const codes = (await cut).map(({ status, body }) => `${status} ${body.code}`);
        const lost = codes.filter((code) => code === '503 outcome_unknown').length;
        notes.figure('keys_unknown', lost);
        notes.expect(lost > 0, `events with a key were answered ${[...new Set(codes)].join(', ')}`);
        await Promise.all(keys().map((key) => expectOneAnswer(rig, tenant, notes, key)));
      },
      async after(rig, notes) {
        const events = await countRecordedEvents(rig.databaseUrl, keyed!.tenantId);
        notes.figure('keyed_events', events);
        notes.expect(events === KEYS, `${KEYS} keys made ${events} events`);
      },
    });
  },
};

const keys = (): string[] => Array.from({ length: KEYS }, (_, i) => `key ${i}`);

function postOneByOne(rig: Rig, tenant: Tenant) {
  return Promise.all(
    keys().map(async (key, i) => {
      await delay(i * BETWEEN_KEYS_MS);
      return post(rig, tenant, key);
    }),
  );
}

async function expectOneAnswer(rig: Rig, tenant: Tenant, notes: Notes, key: string): Promise<void> {
  const deadline = nowMs() + SETTLED_WITHIN_MS;
  let again = await post(rig, tenant, key);
  while (again.status !== 202 && nowMs() < deadline) {
    await delay(ASK_AGAIN_MS);
    again = await post(rig, tenant, key);
  }
  const once = await post(rig, tenant, key);
  notes.expect(again.status === 202, `the same key was answered ${again.status} ${again.body.code}`);
  notes.expect(once.body.event_id === again.body.event_id, 'the same key was answered with two events');
}

function post(rig: Rig, tenant: Tenant, key: string) {
  return rig.api.call<Answered>('POST', '/v1/events', {
    key: tenant.key,
    headers: { 'idempotency-key': key },
    body: { tenant_id: tenant.tenantId, type: 'keyed.event', payload: {} },
  });
}
