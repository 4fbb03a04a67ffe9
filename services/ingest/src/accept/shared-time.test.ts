import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSharedTime, MAX_DRIFT } from './shared-time.ts';

describe('the time that replicas share', () => {
  it('is the middle of what the answers allow, as close as the quickest of them', () => {
    const time = createSharedTime();
    expect(time.at(5)).toBe(5);
    time.observe({ sentAtMs: 100, receivedAtMs: 300, theirsMs: 10_200 });
    expect(time.at(300)).toBe(10_300);
    time.observe({ sentAtMs: 400, receivedAtMs: 404, theirsMs: 10_501 });
    expect(time.at(404)).toBeCloseTo(10_503, 0);
    time.observe({ sentAtMs: 500, receivedAtMs: 900, theirsMs: 10_990 });
    expect(time.at(900)).toBeCloseTo(10_999, 0);
  });

  it('follows a clock that was set', () => {
    const time = createSharedTime();
    time.observe({ sentAtMs: 0, receivedAtMs: 2, theirsMs: 5_001 });
    time.observe({ sentAtMs: 100, receivedAtMs: 102, theirsMs: 1_101 });
    expect(time.at(102)).toBe(1_102);
  });

  it('is off by no more than half of the quickest answer, and the drift since', () => {
    const answer = fc.record({ gap: fc.nat(500), before: fc.nat(80), after: fc.nat(80) });
    fc.assert(
      fc.property(fc.array(answer, { minLength: 1, maxLength: 50 }), (answers) => {
        const time = createSharedTime();
        let nowMs = 0;
        let quickest = Number.POSITIVE_INFINITY;
        for (const { gap, before, after } of answers) {
          const sentAtMs = nowMs + gap;
          nowMs = sentAtMs + before + after;
          time.observe({ sentAtMs, receivedAtMs: nowMs, theirsMs: sentAtMs + before + 70_000 });
          quickest = Math.min(quickest, before + after);
          expect(Math.abs(time.at(nowMs) - (nowMs + 70_000))).toBeLessThanOrEqual(quickest / 2 + 7);
        }
      }),
    );
  });

  it('stays close to a clock that runs faster or slower than ours, however slow most answers are', () => {
    const way = fc.oneof(fc.nat(3), fc.nat(900));
    const answers = fc.array(fc.record({ before: way, after: way }), { minLength: 5, maxLength: 60 });
    fc.assert(
      fc.property(answers, fc.double({ min: -0.001, max: 0.001, noNaN: true }), (ways, fasterBy) => {
        const time = createSharedTime();
        const theirs = (atMs: number): number => atMs * (1 + fasterBy) + 70_000;
        time.observe({ sentAtMs: 0, receivedAtMs: 2, theirsMs: theirs(1) });
        let nowMs = 2;
        for (const { before, after } of ways) {
          const sentAtMs = nowMs + 100;
          nowMs = sentAtMs + before + after;
          time.observe({ sentAtMs, receivedAtMs: nowMs, theirsMs: theirs(sentAtMs + before) });
          // At most what they have, or could have, drifted apart since the first, quick answer.
          expect(Math.abs(time.at(nowMs) - theirs(nowMs))).toBeLessThanOrEqual(
            3 + Math.max(Math.abs(fasterBy), MAX_DRIFT) * nowMs,
          );
        }
      }),
    );
  });
});
