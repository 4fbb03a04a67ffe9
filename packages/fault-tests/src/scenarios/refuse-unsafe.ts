import type { ServiceName } from '@posthorn/system-tests';
import { type Rig, SERVICES, startRig } from '../rig/start-rig.ts';
import type { Scenario } from './scenario.ts';
import { type Notes, takeNotes } from './under-load.ts';

interface Unsafe {
  readonly what: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly reason: RegExp;
  /** Services that work the same with it. */
  readonly besides?: readonly ServiceName[];
}

const UNSAFE: readonly Unsafe[] = [
  {
    what: 'topics with fewer replicas in sync than promised',
    environment: { KAFKA_REPLICATION_FACTOR: '2', KAFKA_MIN_INSYNC_REPLICAS: '2' },
    reason: /min\.insync\.replicas|replic/i,
  },
  { what: 'topics that are missing', environment: { KAFKA_TOPIC_PREFIX: 'none.' }, reason: /none\./ },
  {
    what: 'another number of lanes',
    environment: { LANES: '16' },
    reason: /partitions/i,
    besides: ['recorder'],
  },
  { what: 'a setting that is no number', environment: { ADMIN_PORT: 'high' }, reason: /ADMIN_PORT/ },
];

export const refuseUnsafe: Scenario = {
  id: 'D9',
  title: 'a service refuses to start against unsafe topics or settings, and says why',
  async run(world) {
    const rig = await startRig(world.infra);
    const { notes, figures, broken } = takeNotes();
    try {
      let asked = 0;
      for (const service of SERVICES) {
        for (const unsafe of UNSAFE.filter(({ besides }) => !besides?.includes(service))) {
          await expectRefusal(rig, notes, service, unsafe);
          asked += 1;
        }
      }
      notes.figure('refused', asked - broken.length);
      return { figures, complaints: broken };
    } finally {
      await rig.close();
    }
  },
};

async function expectRefusal(rig: Rig, notes: Notes, service: ServiceName, unsafe: Unsafe): Promise<void> {
  const member = rig.fleet.member(`${service}-1`);
  await member.stop();
  const error = await member.startOnce(unsafe.environment).then(
    () => undefined,
    (failure: Error) => failure,
  );
  if (error === undefined) notes.expect(false, `${service} started with ${unsafe.what}`);
  else
    notes.expect(
      unsafe.reason.test(error.message),
      `${service} does not name ${unsafe.what}: ${error.message.slice(0, 300)}`,
    );
}
