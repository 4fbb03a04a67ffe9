import { join } from 'node:path';
import { ensureKafkaJars } from '@posthorn/scripts/embedded';
import { type Infra, ROOT } from '../rig/start-infra.ts';
import { runClient } from './run-client.ts';

const POM = join(ROOT, 'infra/kafka/tools/pom.xml');

/** Gives every topic whose name the pattern matches so many partitions, with Kafka's own tool, as an operator would. */
export async function addPartitions(
  infra: Pick<Infra, 'addresses' | 'libs'>,
  pattern: string,
  partitions: number,
): Promise<void> {
  const tools = await ensureKafkaJars(POM, join(ROOT, '.toolchain', 'console-tools'), () => undefined);
  await runClient('java', [
    '-XX:TieredStopAtLevel=1',
    '-cp',
    `${infra.libs}/*:${tools}/*`,
    'org.apache.kafka.tools.TopicCommand',
    ...['--bootstrap-server', infra.addresses.join()],
    ...['--alter', '--topic', pattern, '--partitions', String(partitions)],
  ]);
}
