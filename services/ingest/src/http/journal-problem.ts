import { JournalError } from '@posthorn/journal';
import { type Problem, problem, retryAfter } from './problem.ts';

/** What to tell the caller when a journal entry was not written; null once it is. */
export async function journalProblem(written: Promise<void>): Promise<Problem | null> {
  try {
    await written;
    return null;
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    return problem(
      'outcome_unknown',
      'Kafka did not confirm it: ask again, twice does no harm',
      retryAfter(1),
    );
  }
}
