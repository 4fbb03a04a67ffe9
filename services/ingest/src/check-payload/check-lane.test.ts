import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  CHECK_DEADLINE_MS,
  type CheckLane,
  COMPILE_DEADLINE_MS,
  createCheckLane,
  MAX_COMPILED_SCHEMAS,
  MAX_WAITING_CHECKS,
  type Thread,
} from './check-lane.ts';
import type { Answered, Asked } from './messages.ts';

/** A thread that answers when it is told to. */
class FakeThread extends EventEmitter {
  readonly asked: Asked[] = [];
  ended = false;
  postMessage(asked: Asked): void {
    this.asked.push(asked);
  }
  async terminate(): Promise<number> {
    this.ended = true;
    return 0;
  }
  unref(): void {
    // Nothing waits for a fake.
  }
  answer(answered: Answered = { kind: 'faults', faults: [] }): void {
    this.emit('message', answered);
  }
  get kinds(): string[] {
    return this.asked.map(({ kind }) => kind);
  }
}

let threads: FakeThread[];
let lane: CheckLane;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  threads = [];
  lane = createCheckLane({
    startThread: () => {
      const thread = new FakeThread();
      threads.push(thread);
      return thread as unknown as Thread;
    },
  });
});
afterEach(async () => {
  await lane.stop();
  vi.useRealTimers();
});

const check = (key = 'a') => lane.check({ key, schema: '{}', payload: Buffer.from('1') });
const ready = (thread = threads.at(-1)!): void => thread.answer({ kind: 'ready' });
const TIMEOUT = { kind: 'not_checked', reason: 'timeout' };

describe('a lane of checks', () => {
  it('starts its thread for the first job, has the schema compiled once, and does one job at a time', async () => {
    expect(threads).toHaveLength(0);
    const first = check();
    const second = check();
    ready();
    const [thread] = threads;
    expect(thread!.kinds).toEqual(['compile']);
    thread!.answer();
    expect(thread!.kinds).toEqual(['compile', 'check']);
    thread!.answer({ kind: 'faults', faults: [{ pointer: '', detail: 'x' }] });
    expect(await first).toEqual({ kind: 'faults', faults: [{ pointer: '', detail: 'x' }] });
    expect(thread!.kinds).toEqual(['compile', 'check', 'check']);
    thread!.answer();
    expect(await second).toEqual({ kind: 'fits' });
    expect([lane.size, lane.compiledSchemas]).toEqual([0, 1]);
  });

  it('ends a thread whose check is late, and starts another for those that wait', async () => {
    const late = check();
    const next = check();
    ready();
    threads[0]!.answer();
    await vi.advanceTimersByTimeAsync(CHECK_DEADLINE_MS - 1);
    expect(threads[0]!.ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await late).toEqual(TIMEOUT);
    expect(threads.map(({ ended }) => ended)).toEqual([true, false]);
    threads[0]!.answer();
    ready();
    expect(threads[1]!.kinds).toEqual(['compile']);
    threads[1]!.answer();
    threads[1]!.answer();
    expect(await next).toEqual({ kind: 'fits' });
  });

  it('gives compiling more time, and takes what waits for it with it when that is over', async () => {
    const checked = check();
    ready();
    await vi.advanceTimersByTimeAsync(COMPILE_DEADLINE_MS);
    expect(await checked).toEqual(TIMEOUT);
    expect([lane.size, lane.compiledSchemas]).toEqual([0, 0]);
  });

  it('says that a schema which cannot be compiled checks nothing, each time', async () => {
    const first = check();
    const second = check();
    ready();
    const broken = { kind: 'failed', reason: 'x' } as const;
    threads[0]!.answer(broken);
    threads[0]!.answer(broken);
    for (const outcome of [await first, await second])
      expect(outcome).toEqual({ kind: 'not_checked', reason: 'failed' });
    expect(threads[0]!.kinds).toEqual(['compile', 'compile']);
  });

  it('survives a thread that crashes, and one that never starts', async () => {
    const first = check();
    ready();
    threads[0]!.answer();
    threads[0]!.emit('error', new Error('out of memory'));
    threads[0]!.emit('exit', 1);
    expect(await first).toEqual({ kind: 'not_checked', reason: 'crashed' });
    const second = check();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await second).toEqual({ kind: 'not_checked', reason: 'failed' });
    expect(lane.size).toBe(0);
  });

  it('turns jobs away when too many wait', async () => {
    const first = check();
    for (let i = 1; i < MAX_WAITING_CHECKS; i++) void check();
    expect(await check()).toEqual({ kind: 'not_checked', reason: 'busy' });
    await lane.stop();
    expect(await first).toEqual({ kind: 'not_checked', reason: 'failed' });
  });

  it('has its thread forget the schema used least recently', async () => {
    for (let i = 0; i <= MAX_COMPILED_SCHEMAS; i++) {
      const checked = check(`k${i}`);
      if (i === 0) ready();
      threads[0]!.answer();
      threads[0]!.answer();
      await checked;
      if (i === 1) {
        const again = check('k0');
        threads[0]!.answer();
        await again;
      }
    }
    const last = threads[0]!.asked.findLast(({ kind }) => kind === 'compile');
    expect(last).toMatchObject({ key: `k${MAX_COMPILED_SCHEMAS}`, forget: 'k1' });
    expect(lane.compiledSchemas).toBe(MAX_COMPILED_SCHEMAS);
  });

  it('sends a copy of the payload alone, not the request around it', async () => {
    const request = Buffer.from('xx1xx');
    const checked = lane.check({ key: 'a', schema: '{}', payload: request.subarray(2, 3) });
    ready();
    threads[0]!.answer();
    threads[0]!.answer();
    await checked;
    const [, sent] = threads[0]!.asked;
    expect(sent?.kind === 'check' && sent.payload.buffer.byteLength).toBe(1);
    expect(request.toString()).toBe('xx1xx');
  });
});
