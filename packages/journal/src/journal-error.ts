/** `full`: no room, ask again later. `too_large`: never fits a batch. `not_written`: the sends were used up. */
export type JournalErrorCode = 'full' | 'too_large' | 'not_written' | 'stopped';

export class JournalError extends Error {
  override name = 'JournalError';
  readonly code: JournalErrorCode;
  constructor(code: JournalErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
