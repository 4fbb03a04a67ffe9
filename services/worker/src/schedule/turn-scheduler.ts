import type { TenantId } from '@posthorn/contracts';
import { Buffers } from './buffers.ts';
import { Caps, takenOf } from './caps.ts';
import type { Lane, Parcel, Slot, Work } from './lane.ts';
import { estimateMs, isSlow, observe } from './pace.ts';
import { Places } from './places.ts';
import { type EndpointQueue, Queues, type TenantQueue } from './queues.ts';
import { giveBack, nextStartMs, spend } from './rates.ts';
import type {
  EndpointLimits,
  Moved,
  PauseReason,
  Scheduler,
  SchedulerOptions,
  SchedulerStats,
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
  readonly #pauses = new Set<PauseReason>();

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#buffers = new Buffers(options);
    this.#caps = new Caps(options);
    this.#places = new Places(this.#caps);
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
    if (slot.stage === 'held') this.#unhold(slot);
    else if (slot.stage === 'queued') this.#unqueue(slot);
    else return false;
    this.#buffers.unqueued(slot.parcel);
    this.#end(slot);
    return true;
  }

  takeTail(lane: Lane, tenantId: TenantId, maxSlots: number): Moved<W>[] {
    const share = this.#queues.find(lane.number, tenantId)?.shares.find((each) => each.lane === lane);
    const moved: Moved<W>[] = [];
    if (share === undefined) return moved;
    let slots = 0;
    for (let parcel = share.untouched.last; parcel !== null; parcel = share.untouched.last) {
      slots += parcel.open;
      if (slots > maxSlots) break;
      const queued = parcel.slots.filter((slot) => slot.stage === 'queued');
      moved.push({ work: parcel.work, indexes: queued.map((slot) => slot.index) });
      for (const slot of queued) this.drop(slot);
    }
    return moved.reverse();
  }

  hasRoomFor(lane: Lane, tenantId: TenantId, slots: number, bytes: number): boolean {
    const tenant = this.#queues.find(lane.number, tenantId);
    const share = tenant?.shares.find((each) => each.lane === lane);
    return share === undefined || this.#buffers.tenantHasRoom(share, slots, bytes);
  }

  queuedOf(lane: Lane, tenantId: TenantId): number {
    const tenant = this.#queues.find(lane.number, tenantId);
    return tenant?.shares.find((each) => each.lane === lane)?.slots ?? 0;
  }

  *underWay(lane: Lane, nowMs: number): Generator<UnderWay<W>, void> {
    for (const { held, inFlight, settling } of this.#queues.inLane(lane.number)) {
      for (const slot of held)
        if (slot.parcel.lane === lane) yield { slot, heldForMs: Math.max(0, slot.heldUntilMs - nowMs) };
      for (const slot of inFlight) if (slot.parcel.lane === lane) yield { slot, heldForMs: null };
      for (const slot of settling) if (slot.parcel.lane === lane) yield { slot, heldForMs: null };
    }
  }

  next(nowMs: number): Slot<W> | null {
    this.#places.wakes.run(nowMs);
    if (this.paused || !this.#caps.anyMayStart) return null;
    for (let tenant = this.#places.firstTenant(); tenant !== null; tenant = this.#places.firstTenant()) {
      if (this.#judgeTenant(tenant, nowMs)) continue;
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
    const { queue } = slot;
    const endedMs = slot.startedMs + tookMs;
    observe(queue, tookMs);
    observe(queue.tenant, tookMs);
    queue.silentSinceMs = endedMs;
    this.#endRequest(slot, tookMs);
    this.#judgeEndpoint(queue, endedMs);
    this.#judgeTenant(queue.tenant, endedMs);
    if (!queue.slow) queue.tenant.fastAnswerMs = endedMs;
    slot.stage = 'settling';
    queue.tenant.settling.push(slot);
  }

  settle(slot: Slot<W>): void {
    if (slot.stage === 'in_flight') this.#endRequest(slot, 0);
    else slot.queue.tenant.settling.remove(slot);
    this.#caps.unsettled -= 1;
    this.#end(slot);
  }

  putBack(slot: Slot<W>): void {
    const { queue, parcel } = slot;
    if (parcel.lane.mode === 'lost') {
      this.settle(slot);
      return;
    }
    this.#endRequest(slot, 0);
    this.#caps.unsettled -= 1;
    const { maxPerSec } = this.#limitsOf(queue);
    if (maxPerSec !== null) giveBack(queue, maxPerSec);
    this.#buffers.queued(parcel);
    this.#requeue(slot);
  }

  recheckCaps(nowMs: number): void {
    for (const tenant of this.#queues.all()) if (tenant.inFlight.length > 0) this.#judgeTenant(tenant, nowMs);
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
    const { tenantsAtCap } = this.#places;
    const counts = { inFlight, unsettled, slowInFlight, maxSlowInFlight, tenantsAtCap };
    return { ...this.#buffers.stats(), ...counts, waiting: this.#places.waiting() };
  }

  /** Null: the tenant stands apart now. */
  #startOf(tenant: TenantQueue<W>, nowMs: number): Slot<W> | null {
    const cap = this.#options.capOf(tenant.tenantId, tenant.lane);
    if (takenOf(tenant) >= cap) {
      this.#places.tenantAtCap(tenant);
      return null;
    }
    const slowMayStart = this.#caps.slowEndpointMayStart(tenant, cap, nowMs);
    for (;;) {
      const endpoint = tenant.endpointTurns.first(slowMayStart);
      if (endpoint === null) break;
      if (this.#judgeEndpoint(endpoint, nowMs)) continue;
      const limits = this.#limitsOf(endpoint);
      if (this.#mayStart(endpoint, limits, nowMs)) return this.#start(endpoint, limits, nowMs);
    }
    if (tenant.endpointTurns.length === 0) this.#places.restTenant(tenant);
    else this.#places.tenantAtCap(tenant);
    return null;
  }

  /** False: the endpoint stands apart now. */
  #mayStart(endpoint: EndpointQueue<W>, limits: EndpointLimits, nowMs: number): boolean {
    const { maxConcurrency, maxPerSec, host } = limits;
    if (endpoint.taken >= (maxConcurrency ?? this.#options.maxEndpointInFlight)) {
      this.#places.atCap(endpoint);
      return false;
    }
    const full = host === null ? null : this.#caps.hosts.full(host);
    if (full !== null) {
      this.#places.atHost(endpoint, full, nowMs);
      return false;
    }
    const startMs = maxPerSec === null ? nowMs : nextStartMs(endpoint, maxPerSec);
    if (startMs > nowMs) this.#places.atRate(endpoint, startMs);
    return startMs <= nowMs;
  }

  #start(endpoint: EndpointQueue<W>, { host, maxPerSec }: EndpointLimits, nowMs: number): Slot<W> {
    const slot = endpoint.waiting.shift()!;
    const { parcel } = slot;
    if (endpoint.taken === 0) endpoint.silentSinceMs = nowMs;
    slot.stage = 'in_flight';
    slot.startedMs = nowMs;
    slot.chargedMs = estimateMs(
      endpoint,
      endpoint.tenant,
      this.#silentMs(endpoint, nowMs),
      this.#options.attemptTimeoutMs,
    );
    this.#caps.take(slot, host === null ? null : this.#caps.hosts.take(host));
    this.#caps.unsettled += 1;
    if (maxPerSec !== null) spend(endpoint, maxPerSec, nowMs);
    this.#places.charge(endpoint, slot.chargedMs);
    if (endpoint.waiting.length === 0) this.#places.rest(endpoint);
    this.#buffers.unqueued(parcel);
    this.#buffers.touch(parcel);
    this.#buffers.announceRoom(parcel);
    return slot;
  }

  #endRequest(slot: Slot<W>, tookMs: number): void {
    const { queue, host } = slot;
    this.#caps.free(slot);
    this.#places.charge(queue, tookMs - slot.chargedMs);
    if (host !== null) this.#places.freeHost(host);
    slot.host = null;
    this.#roomAt(queue);
  }

  /** A place under the caps of an endpoint and its tenant has come free. */
  #roomAt(endpoint: EndpointQueue<W>): void {
    if (endpoint.place === 'at_cap') this.#places.ready(endpoint);
    else this.#places.readyTenant(endpoint.tenant);
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

  #unqueue(slot: Slot<W>): void {
    const { queue } = slot;
    queue.waiting.remove(slot);
    if (queue.waiting.length === 0) this.#places.rest(queue);
  }

  #end(slot: Slot<W>): void {
    slot.stage = 'ended';
    this.#buffers.ended(slot.parcel);
    this.#queues.closed(slot.queue);
    this.#buffers.announceRoom(slot.parcel);
  }

  #limitsOf({ tenant, endpointId }: EndpointQueue<W>): EndpointLimits {
    return this.#options.limitsOf(tenant.tenantId, endpointId) ?? NO_LIMITS;
  }

  #silentMs(endpoint: EndpointQueue<W>, nowMs: number): number {
    return endpoint.taken === 0 ? 0 : nowMs - endpoint.silentSinceMs;
  }

  /** True: it has changed its class, and its turn comes among the others of that. */
  #judgeEndpoint(endpoint: EndpointQueue<W>, nowMs: number): boolean {
    const slow = isSlow(endpoint, this.#silentMs(endpoint, nowMs));
    if (slow === endpoint.slow) return false;
    this.#caps.classifyEndpoint(endpoint, slow);
    endpoint.tenant.endpointTurns.classify(endpoint, slow);
    return true;
  }

  #judgeTenant(tenant: TenantQueue<W>, nowMs: number): boolean {
    const oldest = tenant.inFlight.first;
    const slow = isSlow(tenant, oldest === null ? 0 : nowMs - oldest.startedMs);
    if (slow === tenant.slow) return false;
    this.#caps.classifyTenant(tenant, slow);
    this.#places.classifyTenant(tenant, slow);
    return true;
  }
}
