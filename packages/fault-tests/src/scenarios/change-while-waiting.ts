import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../now.ts';
import { type MadeTenant, makeTenant } from '../rig/make-tenants.ts';
import { readRecord } from '../rig/read-record.ts';
import { untilBacklogIsZero } from '../rig/recover.ts';
import { type Rig, startRig } from '../rig/start-rig.ts';
import { NO_CIRCUITS } from './choose.ts';
import type { Scenario } from './scenario.ts';
import { type Notes, takeNotes } from './under-load.ts';

/** Changes are visible to whoever sends within this time. */
const VISIBLE_MS = 5_000;
const EVENTS = 40;
const ENDINGS = ['deleted', 'disabled', 'moved'] as const;
type Ending = (typeof ENDINGS)[number];

export const changeWhileWaiting: Scenario = {
  id: 'D21',
  title: 'an endpoint that is deleted, disabled or moved while retries wait is not sent to as it was',
  async run(world) {
    const rig = await startRig(world.infra, {
      environment: { RETRY_SCHEDULE: '1s,4s,4s,4s', ...NO_CIRCUITS },
    });
    const { notes, figures, broken } = takeNotes();
    try {
      for (const ending of ENDINGS) await changeOnce(rig, notes, ending);
      return { figures, complaints: broken };
    } finally {
      await rig.close();
    }
  },
};

async function changeOnce(rig: Rig, notes: Notes, ending: Ending): Promise<void> {
  const tenant = await makeTenant(rig, [{ label: ending, behaviour: { failAttempts: 2 } }]);
  const target = tenant.targets[0]!;
  const events = await Promise.all(Array.from({ length: EVENTS }, () => rig.events.post(tenant, 'load.any')));
  await delay(1_500);
  await change(rig, tenant, target.endpointId, ending);
  const changedMs = nowMs();
  await untilBacklogIsZero(rig, changedMs);
  const arrivals = await rig.receiver.arrivals();
  const late = arrivals.filter(({ path, atMs }) => path === target.path && atMs > changedMs + VISIBLE_MS);
  notes.expect(
    late.length === 0,
    `${late.length} requests went to an endpoint ${ending} ${VISIBLE_MS} ms before`,
  );
  const last = arrivals.findLast(({ path, atMs }) => path === target.path && atMs > changedMs);
  notes.figure(`last_after_${ending}_ms`, last ? last.atMs - changedMs : 0);
  const states = await statesOf(rig, target.endpointId);
  const ended = ending === 'moved' ? 'success' : 'cancelled';
  const wrong = states.filter((state) => state !== ended && state !== 'success');
  notes.expect(
    states.length === events.length && wrong.length === 0,
    `${ending}: deliveries ended ${[...new Set(states)]}`,
  );
}

async function change(rig: Rig, tenant: MadeTenant, endpointId: string, ending: Ending): Promise<void> {
  const path = `/v1/webhooks/${endpointId}`;
  const moved = `/${tenant.tenantId}/new-home`;
  const answer =
    ending === 'deleted'
      ? await rig.api.call('DELETE', path, { key: tenant.key })
      : await rig.api.call('PATCH', path, {
          key: tenant.key,
          body: ending === 'disabled' ? { enabled: false } : { url: rig.receiver.url(moved) },
        });
  if (answer.status >= 300) throw new Error(`${ending}: ${answer.status} ${JSON.stringify(answer.body)}`);
}

async function statesOf(rig: Rig, endpointId: string): Promise<string[]> {
  const { deliveries } = await readRecord(rig.databaseUrl, null);
  return deliveries.filter((row) => row.endpointId === endpointId).map(({ state }) => state);
}
