import { expect } from 'vitest';
import type { Lane, Slot } from '../src/schedule/lane.ts';
import type { EndpointLimits, Scheduler, SchedulerOptions } from '../src/schedule/scheduler.ts';
import { makeScheduler } from './make-scheduler.ts';
import { BOUNDS, type Entry, hasToken, holdToBounds, type Item, type Stage } from './scheduler-books.ts';
import { type Step, TENANTS } from './scheduler-steps.ts';

/** Two partitions under number 0 and one under 1; even tenants belong to number 0, odd ones to both. */
const LANES_OF = [
  [0, 1],
  [1, 2],
];
const NUMBERS = [0, 0, 1];
const WHOLE_CAP = 5;
const MAX_IN_FLIGHT = 8;
const MAX_UNSETTLED = 12;
const MAX_HOST = 2;
const HOSTS = ['one.example', 'one.example', null];
const RATES = [null, 3, 2];
/** Longer than the scheduler leaves a place at a host to one who cannot use it; each of those who wait may be one. */
export const HOST_PATIENCE_MS = 25;

/** Plays steps on a scheduler and keeps books of its own, by which it holds every answer to the caps. */
export class SchedulerModel {
  readonly scheduler: Scheduler<Item>;
  readonly entries = new Map<string, Entry>();
  nowMs = 0;
  readonly #lanes: Lane[];
  readonly #caps = new Map<string, number>();
  readonly #limits = new Map<string, EndpointLimits>();
  readonly #starts = new Map<string, number[]>();
  readonly #roomAsked = new Set<Lane>();
  readonly #tenantRoomAsked = new Set<string>();
  #paused = false;
  #offered = 0;

  constructor(over: Partial<SchedulerOptions> = {}) {
    this.scheduler = makeScheduler<Item>({
      maxInFlight: MAX_IN_FLIGHT,
      maxUnsettled: MAX_UNSETTLED,
      maxHostInFlight: MAX_HOST,
      laneBounds: BOUNDS,
      capOf: (tenantId) => this.#caps.get(tenantId) ?? 3,
      wholeCapOf: () => WHOLE_CAP,
      limitsOf: (_tenantId, endpointId) => this.#limitsOf(endpointId),
      onRoom: (lane) => expect(this.#roomAsked.delete(lane)).toBe(true),
      onTenantRoom: (lane, tenantId) =>
        expect(this.#tenantRoomAsked.delete(`${this.#lanes.indexOf(lane)}${tenantId}`)).toBe(true),
      ...over,
    });
    this.#lanes = NUMBERS.map((number) => this.scheduler.openLane(number));
  }

  play(script: readonly Step[]): void {
    for (const each of script) {
      this.#run(each);
      this.#compareCounts();
    }
  }

  /** Ends everything: caps are asked again, and whatever starts is released and settled. */
  drain(): void {
    this.#resume();
    for (let idle = 0; this.count('ended') < this.entries.size; ) {
      expect(idle).toBeLessThan(100);
      const started = this.next();
      const ending = this.in('in_flight')[0] ?? this.in('settling')[0];
      idle = started === null && ending === undefined ? idle + 1 : 0;
      if (started !== null) continue;
      if (ending === undefined) this.nowMs += 100;
      else this.#end(ending);
    }
  }

  next(): Slot<Item> | null {
    for (const held of this.in('held')) if (held.heldUntilMs <= this.nowMs) held.stage = 'queued';
    const slot = this.scheduler.next(this.nowMs);
    if (slot === null) return null;
    const entry = this.entries.get(`${slot.work.id}:${slot.index}`)!;
    expect(entry.stage).toBe('queued');
    expect(this.#paused).toBe(false);
    expect(this.whatKeeps(entry)).toBeNull();
    entry.stage = 'in_flight';
    entry.slot = slot;
    this.#startsOf(entry).push(this.nowMs);
    return slot;
  }

  /** By these books: why a queued slot may not start now; null when it may. */
  whatKeeps(entry: Entry): string | null {
    const { tenant, endpoint, lane } = entry;
    const inFlight = this.in('in_flight');
    if (inFlight.length >= MAX_IN_FLIGHT) return 'worker';
    if (inFlight.length + this.count('settling') >= MAX_UNSETTLED) return 'unsettled';
    const taken = [...inFlight, ...this.in('held')];
    const inAll = taken.filter((each) => each.tenant === tenant);
    if (inAll.length >= WHOLE_CAP) return 'tenant in all lanes';
    const ofTenant = inAll.filter((each) => each.lane.number === lane.number);
    if (ofTenant.length >= (this.#caps.get(tenant) ?? 3)) return 'tenant';
    const { maxConcurrency, host, maxPerSec } = this.#limitsOf(endpoint);
    if (ofTenant.filter((each) => each.endpoint === endpoint).length >= (maxConcurrency ?? 1_000))
      return 'endpoint';
    const there = inFlight.filter((each) => this.#limitsOf(each.endpoint).host === host);
    if (host !== null && there.length >= MAX_HOST) return 'host';
    return maxPerSec !== null && !hasToken(this.#startsOf(entry), maxPerSec, this.nowMs) ? 'rate' : null;
  }

  in(stage: Stage): Entry[] {
    return [...this.entries.values()].filter((entry) => entry.stage === stage);
  }

  count(stage: Stage): number {
    return this.in(stage).length;
  }

  get paused(): boolean {
    return this.#paused;
  }

  #run(step: Step): void {
    if (step.do === 'offer') this.#offer(step);
    else if (step.do === 'next') this.next();
    else if (step.do === 'wait') this.nowMs += step.ms;
    else if (step.do === 'recheck') this.scheduler.recheckCaps(this.nowMs);
    else if (step.do === 'pause') this.#pause();
    else if (step.do === 'resume') this.#resume();
    else if (step.do === 'cap') this.#caps.set(`t${step.tenant}`, step.cap);
    else if (step.do === 'limit') this.#limit(`t${step.tenant}e${step.endpoint}`, step.limit);
    else if (step.do === 'lose') this.#lose(step.which);
    else if (step.do === 'takeTail') this.#takeTail(step);
    else this.#endOne(step.do, step.which);
  }

  #limit(endpointId: string, maxConcurrency: number): void {
    this.#limits.set(endpointId, { ...this.#limitsOf(endpointId), maxConcurrency });
  }

  #pause(): void {
    this.#paused = true;
    this.scheduler.pause('stop');
  }

  #offer({ tenant, which, endpoints, bytes, held }: Extract<Step, { do: 'offer' }>): void {
    const tenantId = `t${tenant}`;
    const lane = this.#laneOf(tenant, which);
    const endpointIds = endpoints.map((endpoint) => `${tenantId}e${endpoint}`);
    const work: Item = { id: this.#offered++, tenantId, bytes, endpointIds };
    // The first slot of some records is still held by an earlier owner.
    const open = work.endpointIds.map((_, i) => i).filter((i) => held === 0 || i > 0);
    const room = this.scheduler.hasRoomFor(lane, tenantId, open.length, bytes);
    const roomKey = `${this.#lanes.indexOf(lane)}${tenantId}`;
    if (room) this.#tenantRoomAsked.delete(roomKey);
    else this.#tenantRoomAsked.add(roomKey);
    if (!room) return;
    if (!this.scheduler.offer(lane, work, open)) {
      this.#roomAsked.add(lane);
      return;
    }
    for (const i of open) this.#enter(work, i, lane, 'queued');
    if (held === 0) return;
    const entry = this.#enter(work, 0, lane, 'held');
    entry.heldUntilMs = this.nowMs + held;
    entry.slot = this.scheduler.hold(lane, work, 0, entry.heldUntilMs);
  }

  #enter(work: Item, i: number, lane: Lane, stage: Stage): Entry {
    const key = `${work.id}:${i}`;
    const endpoint = work.endpointIds[i]!;
    const entry: Entry = {
      key,
      tenant: work.tenantId,
      endpoint,
      lane,
      work,
      stage,
      slot: null,
      heldUntilMs: 0,
    };
    this.entries.set(key, entry);
    return entry;
  }

  #endOne(what: 'release' | 'settle' | 'putBack' | 'drop' | 'settleHeld', which: number): void {
    const stage = {
      release: 'in_flight',
      settle: 'settling',
      putBack: 'in_flight',
      drop: 'queued',
      settleHeld: 'held',
    };
    const from = this.in(stage[what] as Stage).filter((entry) => entry.slot !== null);
    const entry = from[which % Math.max(1, from.length)];
    if (entry === undefined) return;
    const slot = entry.slot!;
    if (what === 'putBack') this.#putBack(entry);
    else if (what === 'release' || what === 'settle') this.#end(entry);
    else {
      expect(this.scheduler[what](slot)).toBe(true);
      entry.stage = 'ended';
      expect(this.scheduler[what](slot)).toBe(false);
    }
  }

  #end(entry: Entry): void {
    const slot = entry.slot!;
    if (entry.stage === 'in_flight') {
      this.scheduler.release(slot, this.nowMs - slot.startedMs);
      entry.stage = 'settling';
    } else {
      this.scheduler.settle(slot);
      entry.stage = 'ended';
    }
  }

  #putBack(entry: Entry): void {
    this.scheduler.putBack(entry.slot!);
    const isLost = entry.lane.mode === 'lost';
    entry.stage = isLost ? 'ended' : 'queued';
    if (!isLost) this.#startsOf(entry).pop();
  }

  #lose(which: number): void {
    const lane = this.#lanes[which]!;
    this.scheduler.loseLane(lane);
    this.#lanes[which] = this.scheduler.openLane(NUMBERS[which]!);
    this.#roomAsked.delete(lane);
    for (let i = 0; i < TENANTS; i++) this.#tenantRoomAsked.delete(`${which}t${i}`);
    for (const entry of [...this.in('queued'), ...this.in('held')])
      if (entry.lane === lane) entry.stage = 'ended';
  }

  #takeTail({ tenant, which, slots }: Extract<Step, { do: 'takeTail' }>): void {
    const moved = this.scheduler.takeTail(this.#laneOf(tenant, which), `t${tenant}`, slots);
    expect(moved.reduce((sum, { indexes }) => sum + indexes.length, 0)).toBeLessThanOrEqual(slots);
    for (const { work, indexes } of moved) {
      const left = [...this.entries.values()].filter(
        (entry) => entry.work === work && entry.stage !== 'ended',
      );
      // Whole: nothing of it stays, and nothing of it was ever begun.
      expect(left.map((entry) => [entry.stage, entry.key])).toEqual(
        indexes.map((i) => ['queued', `${work.id}:${i}`]),
      );
      for (const entry of left) entry.stage = 'ended';
    }
    const ids = moved.map(({ work }) => work.id);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  }

  #resume(): void {
    this.#paused = false;
    this.scheduler.resume('stop');
    this.scheduler.recheckCaps(this.nowMs);
  }

  #laneOf(tenant: number, which: number): Lane {
    return this.#lanes[LANES_OF[tenant % 2]![which]!]!;
  }

  #limitsOf(endpointId: string): EndpointLimits {
    const known = this.#limits.get(endpointId);
    if (known !== undefined) return known;
    const endpoint = Number(endpointId.at(-1));
    return { maxConcurrency: null, host: HOSTS[endpoint]!, maxPerSec: RATES[endpoint]! };
  }

  /** An endpoint is in one lane but while it changes to another; then each counts for itself. */
  #startsOf({ endpoint, lane }: Entry): number[] {
    const key = `${lane.number}${endpoint}`;
    const starts = this.#starts.get(key) ?? [];
    this.#starts.set(key, starts);
    return starts;
  }

  #compareCounts(): void {
    const stats = this.scheduler.stats();
    const waiting = this.count('queued') + this.count('held');
    expect(stats.queuedSlots).toBe(waiting);
    expect(stats.inFlight).toBe(this.count('in_flight'));
    expect(stats.unsettled).toBe(this.count('in_flight') + this.count('settling'));
    for (const lane of this.#lanes) holdToBounds([...this.entries.values()], lane);
  }
}
