import type { OutboundRecord, ProduceAck, Producer, TrackedRecord } from '@posthorn/kafka';
import type { Logger } from '@posthorn/runtime';
import { createBackOff, delay } from './back-off.ts';
import { createRareWarning } from './rare-warning.ts';

/** Someone else owns the source record now: what it still leads to is theirs to do. Expected, and never logged. */
export class Abandoned extends Error {
  override name = 'Abandoned';
}

export interface SendOptions {
  readonly producer: Pick<Producer, 'send'>;
  /** The fence of the consumer whose records lead to these: while it is down nothing is sent. */
  mayAct(): boolean;
  readonly log: Logger;
  onRetry(): void;
}

/**
 * Sends until acknowledged. A source record is completed only after that, so there is nothing else to do about a
 * broker that refuses than to try again; the bound on what is in flight turns it into back-pressure.
 * @throws Abandoned when the source record is no longer ours.
 */
export type Send = (source: Pick<TrackedRecord, 'live'>, record: OutboundRecord) => Promise<ProduceAck>;

const FIRST_RETRY_MS = 100;
const FENCE_POLL_MS = 50;

export function createSend({ producer, mayAct, log, onRetry }: SendOptions): Send {
  const warn = createRareWarning(log, 'records not acknowledged, trying again');
  return async (source, record) => {
    const backOff = createBackOff(FIRST_RETRY_MS);
    for (;;) {
      while (source.live && !mayAct()) await delay(FENCE_POLL_MS);
      if (!source.live) throw new Abandoned();
      try {
        return await producer.send(record);
      } catch (error) {
        warn({ err: error, topic: record.topic });
        onRetry();
      }
      await backOff.wait();
    }
  };
}
