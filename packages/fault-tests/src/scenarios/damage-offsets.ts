import { setTimeout as delay } from 'node:timers/promises';
import { createAdmin, overwriteCommitted } from '@posthorn/kafka';
import { connect } from '../rig/connect.ts';
import type { Rig } from '../rig/start-rig.ts';
import type { Scenario } from './scenario.ts';
import { type Notes, runUnderLoad } from './under-load.ts';

const SAID_WITHIN_MS = 15_000;

interface Damage {
  readonly what: string;
  metadataOf(metadata: string): string;
}

const DAMAGES: readonly Damage[] = [
  { what: 'removed', metadataOf: () => '' },
  { what: 'damaged', metadataOf: (metadata) => flip(metadata) },
  {
    what: 'of a version to come',
    metadataOf: () => Buffer.from([99, 1, 2, 3, 4, 5, 6, 7]).toString('base64'),
  },
];

export const damageOffsets: Scenario = {
  id: 'D25',
  title:
    'a map of finished work that is missing, damaged or of an unknown version is replayed from the safe side, aloud',
  run: (world) =>
    runUnderLoad(world, {
      // Some take long: finished records lie above unfinished ones, so that the map has something to say.
      endpoints: [{ label: 'prompt' }, { label: 'slow', behaviour: { delayMs: 400 } }],
      async during(rig, notes) {
        for (const damage of DAMAGES) await damageOnce(rig, notes, damage);
      },
      after(_rig, notes, verdict, { arrivals }) {
        const perDelivery = Map.groupBy(arrivals, ({ deliveryId }) => deliveryId);
        const most = Math.max(...[...perDelivery.values()].map((group) => group.length));
        notes.figure('most_requests_of_a_delivery', most);
        notes.expect(most <= 1 + DAMAGES.length, `a delivery was sent ${most} times`);
        notes.figure('replayed', verdict.repeats.all);
      },
      // What the map would have spared is sent again: that is the safe side.
      excuse: (complaint) => complaint.includes('repeated'),
    }),
};

async function damageOnce(rig: Rig, notes: Notes, { what, metadataOf }: Damage): Promise<void> {
  const worker = rig.fleet.member('worker-1');
  const fault = rig.harm('worker', worker.name, `SIGKILL, its map ${what}`);
  await worker.kill();
  // The group must be empty before others may write its offsets.
  await delay(11_000);
  const client = connect(rig.infra.addresses);
  const admin = createAdmin(client);
  const group = `${rig.topicPrefix}worker`;
  const topic = `${rig.topicPrefix}deliveries`;
  const committed = (await admin.fetchCommitted(group, [topic])).filter(({ offset }) => offset >= 0);
  const mapped = committed.filter(({ metadata }) => metadata);
  await overwriteCommitted(
    client,
    group,
    topic,
    committed.map((each) => ({ ...each, metadata: metadataOf(each.metadata ?? '') })),
  );
  await admin.close();
  await worker.start();
  const said = await worker.says(({ msg }) => msg?.startsWith('no usable map') ?? false, SAID_WITHIN_MS);
  rig.heal(fault);
  notes.figure(`maps_${what.replaceAll(' ', '_')}`, mapped.length);
  notes.expect(said, `nothing was said of a map ${what}`);
}

function flip(text: string): string {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0) return 'AAAA';
  bytes[bytes.length - 1]! ^= 0xff;
  return bytes.toString('base64');
}
