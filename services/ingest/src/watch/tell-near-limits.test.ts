import { createLogger } from '@posthorn/runtime';
import { createFakeClock } from '@posthorn/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { createNearLimits, NOTE_AGAIN_MS } from './tell-near-limits.ts';

let kept: string[][];
let isAway: boolean;
beforeEach(() => {
  kept = [];
  isAway = false;
});

function setup() {
  const clock = createFakeClock();
  const lines: string[] = [];
  const near = createNearLimits({
    async keep(_quota, events) {
      if (isAway) throw new Error('away');
      kept.push(events.map((event) => event.tenantId));
      return events.length;
    },
    clock,
    log: createLogger('ingest', 'warn', { write: (line) => void lines.push(JSON.parse(line).msg) }),
  });
  const tell = (...tenants: string[]) => {
    for (const tenantId of tenants) near.tell({ tenantId, limit: 10, used: 8 });
    return near.settled();
  };
  return { clock, lines, tell };
}

describe('a tenant near his limit', () => {
  it('is noted once a minute', async () => {
    const { clock, tell } = setup();
    await tell('a', 'b', 'a');
    await tell('a');
    clock.advance(NOTE_AGAIN_MS);
    await tell('a');
    expect(kept.flat()).toEqual(['a', 'b', 'a']);
  });

  it('is noted when he is seen again after Postgres was away', async () => {
    const { lines, tell } = setup();
    isAway = true;
    await tell('a');
    isAway = false;
    await tell('a');
    expect(kept).toEqual([['a']]);
    expect(lines).toEqual(['warnings of event rates were not kept']);
  });
});
