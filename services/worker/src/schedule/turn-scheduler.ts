import type { TenantId } from '@posthorn/contracts';
import { Buffers } from './buffers.ts';
import { Caps } from './caps.ts';
import { Judge } from './judge.ts';
import type { Lane, Parcel, Share, Slot, Work } from './lane.ts';
import { Places } from './places.ts';
import { type EndpointQueue, Queues, type TenantQueue } from './queues.ts';
import { giveBack, spend } from './rates.ts';
import { loadsOf, underWayIn } from './report.ts';
import type {
  EndpointLimits,
  Moved,
  PauseReason,
  Scheduler,
  SchedulerOptions,
  SchedulerStats,
  TenantLoad,
  UnderWay,
} from './scheduler.ts';

const NO_LIMITS: EndpointLimits = { maxConcurrency: null, maxPerSec: null, host: null };

/** Ties together who is queued (Queues), what that weighs (Buffers), what is in flight (Caps), who waits (Places). */
export class TurnScheduler<W extends Work> implements Scheduler<W> {
  readonly #options: SchedulerOptions;
  readonly #queues = new Queues<W>();
  readonly #buffers: Buffers<W>;
  readonly #caps: Caps<W>;
  readonly #places: Places<W>;
  readonly #judge: Judge<W>;
  readonly #pauses = new Set<PauseReason>();

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#buffers = new Buffers(options);
    this.#caps = new Caps(options);
    this.#places = new Places(this.#caps);
    this.#judge = new Judge(this.#caps, this.#places, options.attemptTimeoutMs);
  }

  openLane(number: number): Lane {
    return this.#buffers.open(number);
  }

  loseLane(lane: Lane): void {
    this.#buffers.lose(lane);
    for (const tenant of this.#queues.inLane(lane.number)) {
      for (const slot of tenant.held) if (slot.parcel.lane === lane) this.drop(slot);
      for (const endpoint of tenant.endpoints.values())
        for (const slot of endpoint.waiting) if (slot.parcel.lane === lane) this.drop(slot);
      const share = tenant.shares.findIndex((each) => each.lane === lane);
      if (share !== -1) tenant.shares.splice(share, 1);
    }
  }

  offer(lane: Lane, work: W, indexes: readonly number[]): boolean {
    if (lane.mode === 'lost' || !this.#buffers.hasRoom(lane, indexes.length, work.bytes)) return false;
    const tenant = this.#queues.tenantOf(lane.number, work.tenantId);
    const parcel = this.#buffers.openParcel(this.#buffers.shareOf(lane, tenant), work);
    for (const index of indexes) {
      const slot = this.#openSlot(parcel, tenant, index);
      slot.queue.waiting.push(slot);
      if (slot.queue.place === 'idle') this.#places.ready(slot.queue);
    }
    return true;
  }

  hold(lane: Lane, work: W, index: number, untilMs: number): Slot<W> {
    const tenant = this.#queues.tenantOf(lane.number, work.tenantId);
    const share = this.#buffers.shareOf(lane, tenant);
    const parcel = share.latest?.work === work ? share.latest : this.#buffers.openParcel(share, work);
    this.#buffers.touch(parcel);
    const slot = this.#openSlot(parcel, tenant, index);
    slot.stage = 'held';
    slot.heldUntilMs = untilMs;
    this.#caps.hold(slot);
    this.#places.wakes.at(untilMs, () => {
      if (slot.stage !== 'held') return;
      this.#unhold(slot);
      this.#requeue(slot);
    });
    return slot;
  }

  settleHeld(slot: Slot<W>): boolean {
    return this.drop(slot);
  }

  drop(slot: Slot<W>): boolean {
    if (!this.#take(slot)) return false;
    this.#buffers.announceRoom(slot.parcel);
    return true;
  }

  takeTail(lane: Lane, tenantId: TenantId, maxSlots: number): Moved<W>[] {
    const moved: Moved<W>[] = [];
    const share = this.#shareOf(lane, tenantId);
    let slots = 0;
    for (let last = share?.untouched.last ?? null; last !== null; last = share!.untouched.last) {
      slots += last.open;
      if (slots > maxSlots) break;
      const queued = last.slots.filter((slot) => slot.stage === 'queued');
      for (const slot of queued) this.#take(slot);
      moved.push({ work: last.work, indexes: queued.map(({ index }) => index) });
    }
    if (moved.length > 0) this.#buffers.announceRoom({ lane, share: share! });
    return moved.reverse();
  }

  hasRoomFor(lane: Lane, tenantId: TenantId, slots: number, bytes: number): boolean {
    const share = this.#shareOf(lane, tenantId);
    return share === undefined || this.#buffers.tenantHasRoom(share, slots, bytes);
  }

  queuedOf(lane: Lane, tenantId: TenantId): number {
    return this.#shareOf(lane, tenantId)?.slots ?? 0;
  }

  underWay(lane: Lane, nowMs: number): Iterable<UnderWay<W>> {
    return underWayIn(lane, this.#queues.inLane(lane.number), nowMs);
  }

  loads(): Iterable<TenantLoad> {
    return loadsOf(this.#queues.all());
  }

  next(nowMs: number): Slot<W> | null {
    this.#places.wakes.run(nowMs);
    if (this.paused || !this.#caps.anyMayStart) return null;
    for (let tenant = this.#places.firstTenant(); tenant !== null; tenant = this.#places.firstTenant()) {
      if (this.#judge.tenant(tenant, nowMs)) continue;
      const slot = this.#startOf(tenant, nowMs);
      if (slot !== null) return slot;
    }
    return null;
  }

  get nextWakeMs(): number | null {
    return this.#places.wakes.nextMs;
  }

  release(slot: Slot<W>, tookMs: number): void {
    if (slot.stage !== 'in_flight') return;
    this.#endRequest(slot, tookMs);
    this.#judge.answered(slot.queue, tookMs, slot.startedMs + tookMs);
  }

  settle(slot: Slot<W>): void {
    this.#endStart(slot);
    this.#end(slot);
    this.#buffers.announceRoom(slot.parcel);
  }

  putBack(slot: Slot<W>): void {
    const { queue, parcel } = slot;
    if (parcel.lane.mode === 'lost') {
      this.settle(slot);
      return;
    }
    this.#endStart(slot);
    const { maxPerSec } = this.#limitsOf(queue);
    if (maxPerSec !== null) giveBack(queue, maxPerSec);
    if (queue.place === 'at_rate') this.#places.ready(queue);
    this.#buffers.queued(parcel);
    this.#requeue(slot);
  }

  recheckCaps(nowMs: number): void {
    for (const tenant of this.#queues.all())
      if (tenant.inFlight.length > 0) this.#judge.tenant(tenant, nowMs);
    this.#places.recheck();
  }

  pause(reason: PauseReason): void {
    this.#pauses.add(reason);
  }

  resume(reason: PauseReason): void {
    this.#pauses.delete(reason);
  }

  get paused(): boolean {
    return this.#pauses.size > 0;
  }

  get unsettled(): number {
    return this.#caps.unsettled;
  }

  stats(): SchedulerStats {
    const { inFlight, unsettled, slowInFlight, maxSlowInFlight } = this.#caps;
    const { idleEndpoints } = this.#queues;
    const counts = { inFlight, unsettled, slowInFlight, maxSlowInFlight, idleEndpoints };
    return { ...this.#buffers.stats(), ...counts, ...this.#places.stats() };
  }

  /** Null: the tenant stands apart now. */
  #startOf(tenant: TenantQueue<W>, nowMs: number): Slot<W> | null {
    const cap = this.#options.capOf(tenant.tenantId, tenant.lane);
    if (this.#caps.tenantIsFull(tenant, cap)) {
      this.#places.tenantAtCap(tenant);
      return null;
    }
    const slowMayStart = this.#caps.slowEndpointMayStart(tenant, cap, nowMs);
    for (;;) {
      const endpoint = tenant.endpointTurns.first(slowMayStart);
      if (endpoint === null) break;
      if (this.#judge.endpoint(endpoint, nowMs)) continue;
      const limits = this.#limitsOf(endpoint);
      if (this.#places.admit(endpoint, limits, nowMs)) return this.#start(endpoint, limits, nowMs);
    }
    if (tenant.endpointTurns.length === 0) this.#places.restTenant(tenant);
    else this.#places.tenantAtCap(tenant);
    return null;
  }

  #start(endpoint: EndpointQueue<W>, { host, maxPerSec }: EndpointLimits, nowMs: number): Slot<W> {
    const slot = endpoint.waiting.shift()!;
    const { parcel } = slot;
    if (endpoint.taken === 0) endpoint.silentSinceMs = nowMs;
    slot.stage = 'in_flight';
    slot.startedMs = nowMs;
    slot.chargedMs = this.#judge.estimateMs(endpoint, nowMs);
    this.#caps.start(slot, host);
    if (maxPerSec !== null) spend(endpoint, maxPerSec, nowMs);
    this.#places.charge(endpoint, slot.chargedMs);
    if (endpoint.waiting.length === 0) this.#places.rest(endpoint);
    this.#buffers.unqueued(parcel);
    this.#buffers.touch(parcel);
    this.#buffers.announceRoom(parcel);
    return slot;
  }

  #endRequest(slot: Slot<W>, tookMs: number): void {
    const { host } = slot;
    slot.stage = 'settling';
    this.#caps.endRequest(slot);
    this.#places.charge(slot.queue, tookMs - slot.chargedMs);
    if (host !== null) this.#places.freeHost(host);
    this.#roomAt(slot.queue);
  }

  /** What was not released was not sent either, and costs nobody a turn. */
  #endStart(slot: Slot<W>): void {
    if (slot.stage === 'in_flight') this.#endRequest(slot, 0);
    this.#caps.settle(slot);
  }

  /** A place under the caps of an endpoint and its tenant has come free. */
  #roomAt(endpoint: EndpointQueue<W>): void {
    if (endpoint.place === 'at_cap') this.#places.ready(endpoint);
    else this.#places.readyTenant(endpoint.tenant);
    const { queues } = endpoint.tenant.total;
    if (queues.size > 1) for (const tenant of queues) this.#places.readyTenant(tenant);
  }

  #openSlot(parcel: Parcel<W>, tenant: TenantQueue<W>, index: number): Slot<W> {
    const endpoint = this.#queues.endpointOf(tenant, parcel.work.endpointIds[index]!);
    this.#queues.opened(endpoint);
    return this.#buffers.openSlot(parcel, index, endpoint);
  }

  #requeue(slot: Slot<W>): void {
    slot.stage = 'queued';
    slot.queue.waiting.unshift(slot);
    if (slot.queue.place === 'idle') this.#places.ready(slot.queue);
  }

  #unhold(slot: Slot<W>): void {
    this.#caps.unhold(slot);
    this.#roomAt(slot.queue);
  }

  /** Ends a slot that waits. */
  #take(slot: Slot<W>): boolean {
    const { queue } = slot;
    if (slot.stage === 'held') this.#unhold(slot);
    else if (slot.stage === 'queued') queue.waiting.remove(slot);
    else return false;
    if (queue.waiting.length === 0) this.#places.rest(queue);
    this.#buffers.unqueued(slot.parcel);
    this.#end(slot);
    return true;
  }

  #end(slot: Slot<W>): void {
    slot.stage = 'ended';
    this.#buffers.ended(slot.parcel);
    this.#queues.closed(slot.queue);
  }

  #shareOf(lane: Lane, tenantId: TenantId): Share<W> | undefined {
    return this.#queues.find(lane.number, tenantId)?.shares.find((share) => share.lane === lane);
  }

  #limitsOf({ tenant, endpointId }: EndpointQueue<W>): EndpointLimits {
    return this.#options.limitsOf(tenant.tenantId, endpointId) ?? NO_LIMITS;
  }
}
