import { mintEndpointId } from '@posthorn/contracts';
import { propertyRuns } from '@posthorn/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeHeaders, NOW } from '../../test/factories.ts';
import { type Owner, ownLane, settled } from '../../test/fake-lane.ts';
import { createFakeLane, type FakeLane } from '../../test/fake-partition.ts';

/**
 * A lane under random tenants, caps and completions, whose owner dies or hands it over at any point: between a produce
 * and its acknowledgement, an acknowledgement and the commit, a commit and the next.
 */

const TENANTS = ['a', 'b', 'c', 'd'];
const ENDPOINTS = Array.from({ length: 3 }, () => mintEndpointId(NOW));

type Step =
  | { do: 'post'; tenant: number; slots: number; count: number }
  | { do: 'read' | 'readOverflow'; count: number }
  | { do: 'begin' | 'end' | 'acknowledge'; count: number }
  | { do: 'tick' | 'commit' | 'crash' | 'handOver' };

const count = fc.integer({ min: 1, max: 300 });
const few = fc.integer({ min: 1, max: 40 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('post' as const),
      tenant: fc.nat({ max: TENANTS.length - 1 }),
      slots: fc.integer({ min: 1, max: 3 }),
      count,
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('read' as const, 'readOverflow'), count }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('begin' as const, 'end', 'acknowledge'), count: few }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('tick' as const, 'commit') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('crash' as const, 'handOver') }) },
);

/** What has been sent is remembered for no time, so that copies have to be told by where they came from. */
const options = { maxLaneSlots: 512, cap: 12, maxMoves: 64, maxRuns: 6, repeatsKeptMs: 0 };

class Play {
  readonly lane: FakeLane = createFakeLane();
  readonly #isLate: boolean;
  owner: Owner;
  readonly posted = new Set<string>();
  readonly sent = new Map<string, number>();
  /** Requests that a crash left without a commit: each may be made once more per crash. */
  readonly excused = new Map<string, number>();
  uncommitted: string[] = [];

  constructor(isLate: boolean) {
    this.#isLate = isLate;
    this.owner = this.#own();
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case 'post':
        return this.#post(step);
      case 'read':
        return void this.owner.deliveries.pump(step.count);
      case 'readOverflow':
        return void this.owner.overflow.pump(step.count);
      case 'begin':
        for (let i = 0; i < step.count; i++) this.#begin();
        return;
      case 'end':
        for (const slot of this.owner.inFlight.slice(0, step.count)) this.owner.end(slot);
        return;
      case 'acknowledge':
        for (const move of this.owner.produced.splice(0, step.count)) move.acknowledge();
        return settled();
      case 'tick':
        this.owner.clock.advance(100);
        return this.owner.tick();
      case 'commit':
        return this.commit();
      case 'crash':
        return this.#crash();
      case 'handOver':
        return this.#handOver();
      default:
        return step satisfies never;
    }
  }

  commit(): void {
    this.owner.commit();
    const inFlight = new Set(this.owner.inFlight.map((slot) => keyOf(slot)));
    this.uncommitted = this.uncommitted.filter((key) => inFlight.has(key));
  }

  #own(): Owner {
    return ownLane(this.lane, { ...options, isLate: this.#isLate });
  }

  #post({ tenant, slots, count: records }: Extract<Step, { do: 'post' }>): void {
    for (let i = 0; i < records; i++) {
      const headers = makeHeaders({ tenantId: TENANTS[tenant]!, slots: ENDPOINTS.slice(0, slots) });
      this.lane.deliveries.append(headers);
      for (const endpointId of ENDPOINTS.slice(0, slots)) this.posted.add(`${headers.ce_id} ${endpointId}`);
    }
  }

  #begin(): void {
    const slot = this.owner.begin();
    if (slot === null) return;
    this.note(keyOf(slot));
    this.uncommitted.push(keyOf(slot));
  }

  note(key: string): void {
    this.sent.set(key, (this.sent.get(key) ?? 0) + 1);
  }

  /** Half of what was on its way arrives after all. */
  async #crash(): Promise<void> {
    for (const key of this.uncommitted) this.excused.set(key, (this.excused.get(key) ?? 0) + 1);
    this.uncommitted = [];
    const before = this.owner;
    for (const each of [before.deliveries, before.overflow]) each.live = false;
    this.owner = this.#own();
    for (const [i, move] of before.produced.entries()) if (i % 2 === 0) move.acknowledge();
    await settled();
  }

  /** In order: what is in flight is settled first, and what is on its way arrives too late. */
  async #handOver(): Promise<void> {
    for (const slot of [...this.owner.inFlight]) this.owner.end(slot);
    this.commit();
    const before = this.owner;
    for (const each of [before.deliveries, before.overflow]) each.lose();
    this.owner = this.#own();
    for (const move of before.produced) move.acknowledge();
    await settled();
  }
}

const keyOf = ({ work, endpointId }: Owner['inFlight'][number]) => `${work.event.eventId} ${endpointId}`;

test('every slot is sent once, and again only when a crash found it in flight or not committed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(step, { minLength: 5, maxLength: 60 }), async (isLate, steps) => {
      const play = new Play(isLate);
      for (const each of steps) await play.run(each);
      for (const slot of await play.owner.drain()) play.note(keyOf(slot));
      expect(new Set(play.sent.keys())).toEqual(play.posted);
      const tooOften = [...play.sent].filter(([key, times]) => times > 1 + (play.excused.get(key) ?? 0));
      expect(tooOften).toEqual([]);
      expect(play.owner.intake.stats()).toMatchObject({ tenants: 0, runs: 0 });
    }),
    { numRuns: propertyRuns(15) },
  );
});
