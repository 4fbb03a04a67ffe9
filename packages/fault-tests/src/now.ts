/**
 * Unix milliseconds with fractions, for all ledgers: the sender's, the receiver's and the list of faults are written by
 * different processes of one machine and compared to a millisecond.
 */
export const nowMs = (): number => performance.timeOrigin + performance.now();
