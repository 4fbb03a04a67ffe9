import { propertyRuns } from '@posthorn/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeScheduler } from '../../test/make-scheduler.ts';
import type { Lane, Slot, Work } from './lane.ts';
import type { Scheduler } from './scheduler.ts';
import { QUANTUM_MS } from './turns.ts';

const DEADLINE_MS = 5_000;
const ROUNDING_MS = 1e-6;

/** One of those who compete for the worker: tenants, or endpoints of one tenant. */
interface Party {
  readonly name: string;
  readonly tenantId: string;
  readonly endpointIds: readonly string[];
}

const TENANTS: readonly Party[] = [1, 2, 3, 1].map((endpoints, i) => ({
  name: `t${i}`,
  tenantId: `t${i}`,
  endpointIds: Array.from({ length: endpoints }, (_, j) => `t${i}e${j}`),
}));
const ENDPOINTS: readonly Party[] = [0, 1, 2, 3].map((i) => ({
  name: `e${i}`,
  tenantId: 't',
  endpointIds: [`e${i}`],
}));

/** A worker whose total is all that is competed for. The endpoints of a tenant are spread over three lanes. */
class Competition {
  /** Time in flight: what ended slots took, and what those in flight were charged. */
  readonly given = new Map<string, number>();
  readonly #scheduler: Scheduler<Work>;
  readonly #lanes: readonly Lane[];
  readonly #parties: readonly Party[];
  readonly #lasts: (endpointId: string) => number;
  readonly #left = new Map<string, number>();
  #inFlight: { slot: Slot<Work>; endMs: number }[] = [];
  #nowMs = 0;

  constructor(parties: readonly Party[], total: number, lasts: (endpointId: string) => number) {
    this.#scheduler = makeScheduler({ maxInFlight: total, attemptTimeoutMs: DEADLINE_MS });
    this.#lanes = [0, 1, 2].map((number) => this.#scheduler.openLane(number));
    this.#parties = parties;
    this.#lasts = lasts;
  }

  /** Lets every endpoint answer once, and then a while pass, after which nobody is ahead of anybody. */
  warmUp(): void {
    for (const party of this.#parties) this.#offer(party, 1);
    this.#drain();
    const { tenantId } = this.#parties[0]!;
    const pacer = { name: 'pacer', tenantId: tenantId === 't' ? 't' : 'pacer', endpointIds: ['pacer'] };
    for (let i = 0; i < 2; i++) {
      this.#offer(pacer, 1);
      this.#drain();
    }
  }

  /** Everybody has much to do; calls back at every start, until one has done it. */
  compete(slotsEach: number, onStart: (starting: Party) => void): void {
    for (const party of this.#parties) this.#offer(party, slotsEach);
    this.given.clear();
    for (const { name } of this.#parties) this.given.set(name, 0);
    while (this.#parties.every(({ name }) => this.#left.get(name)! > 0)) {
      const slot = this.#scheduler.next(this.#nowMs);
      if (slot === null) this.#endNext();
      else {
        onStart(this.#partyOf(slot));
        this.#started(slot);
      }
    }
  }

  /** The greatest lead that one has over another. */
  get lead(): number {
    const given = [...this.given.values()];
    return Math.max(...given) - Math.min(...given);
  }

  #drain(): void {
    for (;;) {
      const slot = this.#scheduler.next(this.#nowMs);
      if (slot !== null) this.#started(slot);
      else if (this.#inFlight.length > 0) this.#endNext();
      else return;
    }
  }

  #offer({ name, tenantId, endpointIds }: Party, slotsEach: number): void {
    for (let i = 0; i < slotsEach; i++)
      for (const index of endpointIds.keys())
        this.#scheduler.offer(this.#lanes[index]!, { tenantId, bytes: 1, endpointIds }, [index]);
    this.#left.set(name, slotsEach * endpointIds.length);
  }

  #started(slot: Slot<Work>): void {
    const { name } = this.#partyOf(slot);
    this.#left.set(name, this.#left.get(name)! - 1);
    this.#give(slot, slot.chargedMs);
    this.#inFlight.push({ slot, endMs: this.#nowMs + this.#lasts(slot.endpointId) });
    this.#inFlight.sort((a, b) => a.endMs - b.endMs);
  }

  #endNext(): void {
    const { slot, endMs } = this.#inFlight.shift()!;
    this.#nowMs = endMs;
    this.#scheduler.release(slot, endMs - slot.startedMs);
    this.#scheduler.settle(slot);
    this.#give(slot, endMs - slot.startedMs - slot.chargedMs);
  }

  #give(slot: Slot<Work>, ms: number): void {
    const { name } = this.#partyOf(slot);
    this.given.set(name, (this.given.get(name) ?? 0) + ms);
  }

  #partyOf({ endpointId }: Slot<Work>): Party {
    const party = this.#parties.find(({ endpointIds }) => endpointIds.includes(endpointId));
    return party ?? { name: 'pacer', tenantId: '', endpointIds: [] };
  }
}

const PACER_MS = 100 * DEADLINE_MS;
const total = fc.integer({ min: 1, max: 12 });
const duration = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: DEADLINE_MS }));
const durations = fc.array(duration, { minLength: 8, maxLength: 8 });
const kinds = [
  ['tenants', TENANTS],
  ['endpoints of a tenant', ENDPOINTS],
] as const;

test.each(kinds)(
  '%s with work differ by at most a quantum and a deadline in the time in flight they got',
  (_kind, parties) => {
    fc.assert(
      fc.property(durations, total, (lasting, slots) => {
        const ids = parties.flatMap(({ endpointIds }) => endpointIds);
        const lasts = (endpointId: string) => lasting[ids.indexOf(endpointId)] ?? PACER_MS;
        const competition = new Competition(parties, slots, lasts);
        competition.warmUp();
        competition.compete(100, () => {
          expect(competition.lead).toBeLessThanOrEqual(QUANTUM_MS + DEADLINE_MS + ROUNDING_MS);
        });
      }),
      { numRuns: propertyRuns(10) },
    );
  },
);

test.each(kinds)(
  '%s differ by no more when nobody can tell how long their attempts take, one at a time',
  (_kind, parties) => {
    fc.assert(
      fc.property(fc.array(duration, { minLength: 50, maxLength: 50 }), (lasting) => {
        let started = 0;
        const competition = new Competition(parties, 1, () => lasting[started++ % lasting.length]!);
        competition.compete(100, () => {
          expect(competition.lead).toBeLessThanOrEqual(QUANTUM_MS + DEADLINE_MS + ROUNDING_MS);
        });
      }),
      { numRuns: propertyRuns(10) },
    );
  },
);

test.each(kinds)(
  '%s that are more than a quantum ahead start nothing while others have work',
  (_kind, parties) => {
    fc.assert(
      fc.property(fc.array(duration, { minLength: 50, maxLength: 50 }), total, (lasting, slots) => {
        let started = 0;
        const competition = new Competition(parties, slots, () => lasting[started++ % lasting.length]!);
        competition.compete(100, ({ name }) => {
          const least = Math.min(...competition.given.values());
          expect(competition.given.get(name)! - least).toBeLessThanOrEqual(QUANTUM_MS + ROUNDING_MS);
        });
      }),
      { numRuns: propertyRuns(10) },
    );
  },
);
