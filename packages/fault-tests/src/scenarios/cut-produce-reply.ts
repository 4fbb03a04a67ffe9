import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Tenant } from '@posthorn/system-tests';
import { nowMs } from '../now.ts';
import type { Rig } from '../rig/start-rig.ts';
import { expectAnswers } from './expect-answers.ts';
import type { Scenario } from './scenario.ts';
import { type Notes, runUnderLoad } from './under-load.ts';

type Answered = { readonly code?: string; readonly event_id?: string };

const CUT_MS = 8_000;

export const cutProduceReply: Scenario = {
  id: 'D10',
  title:
    'when the reply to a produce is cut off the answer is 503; the same key again, where keys are taken, makes one event',
  run: (world) =>
    runUnderLoad(world, {
      rig: { proxied: true },
      async during(rig, notes) {
        // Without an endpoint, since the oracle knows nothing of these events.
        const tenant = await rig.api.createTenant();
        const before = rig.events.sent.length;
        const key = randomUUID();
        const takesKeys = (await post(rig, tenant, randomUUID())).body.code !== 'idempotency_key_unsupported';
        notes.figure('takes_keys', takesKeys);
        const links = rig.links.of('ingest-1').kafka;
        const fault = rig.harm('network', 'ingest-1', 'replies of Kafka cut off');
        for (const link of links) link.silence('from-target');
        const meanwhile = takesKeys ? post(rig, tenant, key) : undefined;
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
        if (meanwhile) await expectOneEvent(rig, tenant, notes, key, (await meanwhile).status);
      },
    }),
};

async function expectOneEvent(
  rig: Rig,
  tenant: Tenant,
  notes: Notes,
  key: string,
  status: number,
): Promise<void> {
  notes.expect(status === 503, `the answer was ${status}, not 503`);
  const deadline = nowMs() + 60_000;
  let again = await post(rig, tenant, key);
  // The key is held until it is certain whether its event is there.
  while (again.status !== 202 && nowMs() < deadline) {
    await delay(500);
    again = await post(rig, tenant, key);
  }
  const once = await post(rig, tenant, key);
  notes.expect(again.status === 202, `the same key was answered ${again.status}`);
  notes.expect(once.body.event_id === again.body.event_id, 'the same key made two events');
}

function post(rig: Rig, tenant: Tenant, key: string) {
  return rig.api.call<Answered>('POST', '/v1/events', {
    key: tenant.key,
    headers: { 'idempotency-key': key },
    body: { tenant_id: tenant.tenantId, type: 'keyed.event', payload: {} },
  });
}
