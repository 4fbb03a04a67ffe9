import type { ProduceReport } from '@posthorn/kafka';
import { createLogger } from '@posthorn/runtime';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createKafkaWatch } from './watch-kafka.ts';
import { createPostgresWatch } from './watch-postgres.ts';

let lines: string[];
const log = createLogger('ingest', 'info', { write: (line) => void lines.push(JSON.parse(line).msg) });
beforeEach(() => {
  lines = [];
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the watch on Postgres', () => {
  it('keeps the last counts while it is away, and says once that it went and came back', async () => {
    let isAway = false;
    let count = 3;
    const watch = createPostgresWatch({
      ping: async () => !isAway,
      deadLetterCounts: async () => new Map([['acme', count]]),
      log,
      intervalMs: 1_000,
    });
    await watch.start();
    expect([watch.up, watch.countDeadLetters('acme'), watch.countDeadLetters('other')]).toEqual([true, 3, 0]);
    isAway = true;
    count = 9;
    await vi.advanceTimersByTimeAsync(3_000);
    expect([watch.up, watch.countDeadLetters('acme')]).toEqual([false, 3]);
    isAway = false;
    await vi.advanceTimersByTimeAsync(1_000);
    expect([watch.up, watch.countDeadLetters('acme')]).toEqual([true, 9]);
    expect(lines).toEqual(['postgres is away', 'postgres answers again']);
    watch.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is down from the moment that a request found it so, and when counting fails', async () => {
    const watch = createPostgresWatch({
      ping: async () => true,
      deadLetterCounts: async () => Promise.reject(new Error('no')),
      log,
    });
    await watch.start();
    expect(watch.up).toBe(false);
    watch.stop();
    const other = createPostgresWatch({
      ping: async () => true,
      deadLetterCounts: async () => new Map(),
      log,
    });
    other.reportDown();
    expect(other.up).toBe(false);
  });
});

describe('the watch on Kafka', () => {
  const report = (outcome: ProduceReport['outcome']) => ({ records: 1, bytes: 1, durationMs: 1, outcome });

  it('follows produce requests, and asks only while there are none', async () => {
    let asked = 0;
    const endOffsets = async () => {
      asked += 1;
      return [];
    };
    const watch = createKafkaWatch({ admin: { endOffsets }, topic: 'events', log, intervalMs: 1_000 });
    watch.start();
    watch.observe(report('not_accepted'));
    expect(watch.up).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([watch.up, asked]).toEqual([false, 0]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([watch.up, asked]).toEqual([true, 1]);
    watch.observe(report('outcome_unknown'));
    watch.observe(report('resent'));
    expect(watch.up).toBe(true);
    watch.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('takes no answer in time for a no', async () => {
    const endOffsets = () => new Promise<never>(() => undefined);
    const watch = createKafkaWatch({
      admin: { endOffsets },
      topic: 'events',
      log,
      intervalMs: 1_000,
      timeoutMs: 500,
    });
    watch.start();
    await vi.advanceTimersByTimeAsync(1_500);
    expect(watch.up).toBe(false);
    watch.stop();
  });
});
