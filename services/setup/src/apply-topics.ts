import type { TopicSpec } from '@posthorn/contracts';
import type { Admin } from '@posthorn/kafka';

/** Creates the topics that are missing and holds all to what they promise. @throws Error listing every fault. */
export async function applyTopics(
  admin: Admin,
  specs: readonly TopicSpec[],
  say: (line: string) => void,
): Promise<void> {
  const { created, existing } = await admin.ensureTopics(specs);
  for (const name of created) say(`topic ${name} created`);
  if (existing.length > 0) say(`topics there before: ${existing.length}`);
  const faults = await admin.checkTopics(specs);
  if (faults.length > 0)
    throw new Error(`topics break a promise:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
  say(`topics checked (${specs.length})`);
}
