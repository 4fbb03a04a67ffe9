export { JournalError, type JournalErrorCode } from './journal-error.ts';
export type { JournalBatch, JournalStats, JournalWriter, JournalWriterOptions } from './journal-writer.ts';
export { createJournalWriter } from './journal-writer.ts';
