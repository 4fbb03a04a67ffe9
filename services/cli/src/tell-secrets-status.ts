import { countSealedTexts, type SealedCount } from '@posthorn/db';
import { type KeyRing, readKeyRing } from '@posthorn/secrets';
import type { Session } from './session.ts';

/** A line for each key, on standard output; ends with 1 when there are values that no key of the ring opens. */
export async function tellSecretsStatus({ database, config, terminal }: Session): Promise<number> {
  const ring = readKeyRing(config);
  const counts = await countSealedTexts(database.sql);
  const { sealing, keys } = ring;
  for (const count of counts)
    await terminal.print(`${count.keyId}\t${count.format}\t${count.texts}\t${standing(ring, count)}\n`);
  for (const keyId of keys.keys())
    if (!counts.some((count) => count.keyId === keyId))
      await terminal.print(
        `${keyId}\t-\t0\t${keyId === sealing.keyId ? 'seals' : 'nothing is sealed with it'}\n`,
      );
  const lost = textsOf(counts.filter(({ keyId }) => !keys.has(keyId)));
  const due = textsOf(counts.filter((count) => standing(ring, count) === 'to be sealed anew'));
  if (due > 0) terminal.tell(`${due} values are to be sealed anew: posthorn secrets reencrypt`);
  if (lost > 0) terminal.tell(`${lost} values cannot be opened: their key is not in the ring`);
  return lost > 0 ? 1 : 0;
}

const textsOf = (counts: readonly SealedCount[]): number => counts.reduce((sum, { texts }) => sum + texts, 0);

function standing({ keys, sealing, seals }: KeyRing, { keyId, format }: SealedCount): string {
  if (!keys.has(keyId)) return 'cannot be opened';
  return keyId === sealing.keyId && format === seals ? 'seals' : 'to be sealed anew';
}
