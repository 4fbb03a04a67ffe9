import type { KafkaLog } from './client.ts';
import type { InternalGroup } from './kafkajs-internals.ts';
import { fetchLogEnds, fetchLogStarts, keyOf } from './load-committed.ts';
import type { PartitionIntake } from './partition-intake.ts';
import type { Rejoin } from './rejoin.ts';

/**
 * The broker has no record at the position: retention deleted it, or the log is another one. (kafkajs would commit
 * "from the beginning" over our map.)
 */
export async function recoverPosition(
  rejoin: Rejoin,
  group: InternalGroup,
  intake: PartitionIntake | undefined,
  log: KafkaLog,
): Promise<void> {
  if (intake === undefined) return;
  const logStart = (await fetchLogStarts(group, [intake])).get(keyOf(intake));
  const logEnd = (await fetchLogEnds(group, [intake])).get(keyOf(intake));
  if (logStart === undefined || logEnd === undefined || !intake.live) return;
  const { topic, partition, cursor } = intake;
  const where = { topic, partition, position: cursor, logStart };
  if (logStart > cursor) {
    log.error(where, 'records were deleted by retention before they were read');
    intake.moveTo(logStart);
    rejoin.place(group, intake);
  } else {
    log.error(where, 'the log ends before the committed offset: starting over');
    rejoin.startOver(group, intake, { start: logStart, end: logEnd });
  }
}
