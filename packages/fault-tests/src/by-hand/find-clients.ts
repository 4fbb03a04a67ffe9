import { join } from 'node:path';
import { checkJava, ensureKafkaJars } from '@posthorn/scripts/embedded';
import { type Infra, ROOT } from '../rig/start-infra.ts';
import { consoleTools } from './console-tools.ts';
import { kcat } from './kcat.ts';
import { runClient } from './run-client.ts';
import type { TextClient } from './text-client.ts';

export interface FoundClients {
  readonly clients: readonly TextClient[];
  /** What is not here, and how it would be. */
  readonly missing: readonly string[];
}

const POM = join(ROOT, 'infra/kafka/tools/pom.xml');

/** The clients that this machine has, or can fetch. */
export async function findClients(infra: Pick<Infra, 'addresses' | 'libs'>): Promise<FoundClients> {
  const clients: TextClient[] = [];
  const missing: string[] = [];
  try {
    await checkJava();
    const tools = await ensureKafkaJars(POM, join(ROOT, '.toolchain', 'console-tools'), () => undefined);
    clients.push(consoleTools(infra.addresses, [`${infra.libs}/*`, `${tools}/*`]));
  } catch (error) {
    missing.push(`Kafka's console tools: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    await runClient('kcat', ['-V']);
    clients.push(kcat(infra.addresses));
  } catch {
    missing.push('kcat: apt-get install kcat');
  }
  return { clients, missing };
}
