import { addPartitions } from '../by-hand/add-partitions.ts';
import type { Rig } from '../rig/start-rig.ts';
import type { Scenario } from './scenario.ts';
import { type Notes, runUnderLoad } from './under-load.ts';

const FEW = 4;
const MANY = 16;

/**
 * The topics of the lanes grow while nothing runs but ingest, which has events waiting by then; retries wait on tiers
 * whose partitions grow too.
 */
export const growLanes: Scenario = {
  id: 'lanes',
  title: 'more partitions of deliveries move no tenant, and lose and repeat nothing',
  run(world) {
    const size = { LANES: String(FEW) };
    return runUnderLoad(world, {
      rig: {
        sizes: { worker: 2 },
        perService: { ingest: size, dispatcher: size, worker: size, recorder: size },
        environment: size,
      },
      async during(rig, notes) {
        const before = await lanesOf(rig);
        await grow(rig, notes, () => {
          size.LANES = String(MANY);
        });
        notes.expect(
          JSON.stringify(await lanesOf(rig)) === JSON.stringify(before),
          `tenants have moved from ${JSON.stringify(before)}`,
        );
        notes.figure('tenants', before.length);
      },
    });
  },
};

async function grow(rig: Rig, notes: Notes, changeConfiguration: () => void): Promise<void> {
  const fault = rig.harm('worker', 'all', 'SIGTERM', true);
  const others = rig.fleet.members().filter(({ service }) => service !== 'ingest');
  for (const member of others) notes.expect((await member.stop()) === 0, `${member.name} did not end well`);
  const prefix = rig.topicPrefix.replaceAll('.', '\\.');
  await addPartitions(rig.infra, `${prefix}(deliveries|overflow)`, MANY);
  await addPartitions(rig.infra, `${prefix}retry.*`, MANY / 4);
  changeConfiguration();
  for (const member of rig.fleet.members('ingest')) {
    notes.expect((await member.stop()) === 0, `${member.name} did not end well`);
    await member.start();
  }
  for (const member of others) await member.start();
  rig.heal(fault);
}

async function lanesOf(rig: Rig): Promise<readonly unknown[]> {
  const tenants = new Set(rig.targets.map(({ tenantId }) => tenantId));
  const answers = [...tenants].map((id) =>
    rig.api.call<{ lanes: number[] }>('GET', `/v1/tenants/${id}/lanes`),
  );
  return (await Promise.all(answers)).map(({ body }) => body.lanes);
}
