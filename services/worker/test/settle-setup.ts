import { type JournalEntry, type Outcome, topicNames } from '@posthorn/contracts';
import type { OutboundRecord } from '@posthorn/kafka';
import { createLogger, createMetrics } from '@posthorn/runtime';
import { createFakeClock } from '@posthorn/testkit';
import { createWorkerMetrics } from '../src/metrics.ts';
import { createSettle } from '../src/settle/settle.ts';
import { LANE, NOW } from './factories.ts';

export const failure: Extract<Outcome, { kind: 'failure' }> = {
  kind: 'failure',
  failure: 'http_5xx',
  status: 503,
  detail: 'HTTP 503',
  retryAfterMs: null,
};

export const MAC_KEY = Buffer.alloc(32, 7);
const waits = {
  circuitLeastWaitMs: 1_000,
  circuitMaxWaitMs: 10_000,
  circuitLeastBudgetMs: 8_000,
  pauseFirstWaitMs: 1_000,
  pauseMaxWaitMs: 10_000,
};

/** Settles with a broker whose acknowledgements are given by hand. */
export function setup() {
  const clock = createFakeClock(NOW);
  const order: string[] = [];
  const produced: OutboundRecord[] = [];
  const producedHeld: OutboundRecord[] = [];
  const journaled: JournalEntry[] = [];
  const remembered: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const produceAck = Promise.withResolvers<void>();
  const journalAck = Promise.withResolvers<void>();
  const settle = createSettle({
    layout: {
      topics: topicNames('p.'),
      tiers: [
        { name: '1s', delayMs: 1_000 },
        { name: '4s', delayMs: 4_000 },
      ],
      lanes: 16,
      deadLetterPartitions: 1,
      macKey: MAC_KEY,
    },
    policy: { scheduleMs: [1_000, 4_000], jitterPercent: 0, ...waits },
    repeats: {
      settled: (_work, index, succeeded) => void remembered.push(`settled ${index} ${succeeded}`),
      forget(_work, index) {
        remembered.push(`forgotten ${index}`);
        order.push('forgotten');
      },
    },
    clock,
    log: createLogger('worker', 'info', { write: (line: string) => void lines.push(JSON.parse(line)) }),
    metrics: createWorkerMetrics(createMetrics('worker'), clock),
    acknowledger: {
      untilAcknowledged: (write) =>
        write().then(
          () => true,
          () => false,
        ),
    },
    async produce(record) {
      produced.push(record);
      order.push('produced');
      await produceAck.promise;
      order.push('produce acknowledged');
    },
    async produceHeld(record) {
      producedHeld.push(record);
      order.push(record.topic === 'p.overflow' ? 'announced' : 'produced held');
      await produceAck.promise;
    },
    async journal(entry) {
      journaled.push(entry);
      order.push('journaled');
      await journalAck.promise;
      order.push('journal acknowledged');
    },
  });
  return { settle, order, produced, producedHeld, journaled, remembered, lines, produceAck, journalAck };
}
export type Bundle = ReturnType<typeof setup>;
export const acknowledgeAll = ({ produceAck, journalAck }: Bundle) => {
  produceAck.resolve();
  journalAck.resolve();
};

/** What an open circuit leaves of an attempt. */
export const circuitOpen = {
  kind: 'circuit_open',
  probeInMs: 300,
  scheduleMs: null,
  maxRetryMs: null,
  lanes: [LANE],
} as const;
