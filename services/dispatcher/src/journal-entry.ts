import type { JournalEntry } from '@posthorn/contracts';
import type { JournalWriter } from '@posthorn/journal';
import type { TrackedRecord } from '@posthorn/kafka';
import { delay } from './back-off.ts';
import { Abandoned } from './send.ts';

const RETRY_MS = 200;

/**
 * Journals until acknowledged: what is not in the journal would be a delivery that nobody can see.
 * @throws Abandoned when the source record is no longer ours.
 */
export async function writeEntry(
  journal: Pick<JournalWriter, 'append'>,
  source: Pick<TrackedRecord, 'live'>,
  entry: JournalEntry,
): Promise<void> {
  for (;;) {
    try {
      return await journal.append(entry);
    } catch {
      // The writer has counted and retried it within its own bounds; the next try starts afresh.
    }
    await delay(RETRY_MS);
    if (!source.live) throw new Abandoned();
  }
}
