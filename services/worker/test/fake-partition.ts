import type {
  AssignedAt,
  OutboundRecord,
  PartitionHandler,
  PartitionStats,
  TrackedRecord,
} from '@posthorn/kafka';
import { LANE, NOW } from './factories.ts';

/** One lane of a broker in memory: two logs, and what was committed of them. */
export interface FakeLane {
  readonly deliveries: FakeLog;
  readonly overflow: FakeLog;
  /** What went to other lanes. */
  readonly elsewhere: OutboundRecord[];
  /** How many have had it. */
  owners: number;
}

interface Stored {
  readonly headers: Record<string, string>;
  readonly value: Buffer;
  readonly timestampMs: number;
}

/** Finished slots by offset, and how far was read. */
interface Committed {
  readonly position: number;
  readonly done: ReadonlyMap<number, ReadonlySet<number>>;
  readonly held: ReadonlyMap<string, number>;
}

export class FakeLog {
  readonly topic: string;
  readonly records: Stored[] = [];
  committed: Committed = { position: 0, done: new Map(), held: new Map() };

  constructor(topic: string) {
    this.topic = topic;
  }

  append(headers: Record<string, string>, value: Buffer = Buffer.from('{}'), timestampMs = NOW): number {
    return this.records.push({ headers, value, timestampMs }) - 1;
  }

  slotsAt(offset: number): number {
    return (this.records[offset]!.headers.ph_slots ?? '').split(',').length;
  }

  isFinished(offset: number, { position, done } = this.committed): boolean {
    return offset < position && (done.get(offset)?.size ?? 0) === this.slotsAt(offset);
  }
}

export function createFakeLane(): FakeLane {
  return {
    deliveries: new FakeLog('deliveries'),
    overflow: new FakeLog('overflow'),
    elsewhere: [],
    owners: 0,
  };
}

/** One partition as a consumer has it. */
export class FakePartition {
  readonly log: FakeLog;
  readonly #clock: { monotonicMs(): number };
  readonly #done = new Map<number, Set<number>>();
  readonly #heldUntilMs = new Map<string, number>();
  readonly passedOver = new Set<number>();
  handler!: PartitionHandler;
  position: number;
  refused = false;
  parked = false;
  live = true;
  handedOver = false;
  again: number | null = null;
  /** Said to be the size of the map. */
  mapChars = 0;

  constructor(log: FakeLog, clock: { monotonicMs(): number }) {
    this.log = log;
    this.#clock = clock;
    for (const [offset, slots] of log.committed.done) this.#done.set(offset, new Set(slots));
    for (const [key, leftMs] of log.committed.held) {
      this.#heldUntilMs.set(key, clock.monotonicMs() + leftMs + 1_000);
    }
    const { position } = log.committed;
    const unfinished = Array.from({ length: position }, (_, at) => at).find((at) => !log.isFinished(at));
    this.position = unfinished ?? position;
  }

  at(): AssignedAt {
    const { committed, records } = this.log;
    return {
      start: this.position,
      end: records.length,
      isFinished: (offset) => this.log.isFinished(offset, committed),
      heldEnd: Math.max(0, ...[...committed.held.keys()].map((key) => Number(key.split(':')[0]) + 1)),
    };
  }

  isDone(offset: number): boolean {
    return (this.#done.get(offset)?.size ?? 0) === this.log.slotsAt(offset);
  }

  /** Offers up to `count` records, as far as they are taken. */
  pump(count = 1): number {
    let offered = 0;
    while (offered < count && this.live && !this.refused && !this.parked) {
      const offset = this.#next();
      if (offset === null) break;
      offered += 1;
      const isNew = offset >= this.position;
      if (isNew) this.position = offset + 1;
      else {
        this.passedOver.delete(offset);
        this.again = offset + 1;
      }
      if (this.handler.offer(this.#record(offset))) continue;
      this.refused = true;
      if (isNew) this.position = offset;
      else {
        this.passedOver.add(offset);
        this.again = offset;
      }
    }
    return offered;
  }

  #next(): number | null {
    if (this.again !== null) {
      const found = this.#firstPassedOver(this.again);
      if (found !== null) return found;
      this.again = null;
    }
    while (this.position < this.log.records.length && this.isDone(this.position)) this.position += 1;
    return this.position < this.log.records.length ? this.position : null;
  }

  #firstPassedOver(from: number): number | null {
    const ahead = [...this.passedOver].filter((offset) => offset >= from);
    return ahead.length === 0 ? null : Math.min(...ahead);
  }

  reread(offset: number): number | null {
    this.again = offset < this.position ? this.#firstPassedOver(offset) : null;
    return this.again;
  }

  commit(underWay = false): void {
    const nowMs = this.#clock.monotonicMs();
    const held = new Map<string, number>();
    for (const [key, untilMs] of this.#heldUntilMs)
      if (untilMs > nowMs) held.set(key, untilMs - 1_000 - nowMs);
    if (underWay) {
      for (const { offset, slot, leftMs } of this.handler.underWay?.() ?? []) {
        held.set(`${offset}:${slot}`, leftMs);
        this.#heldUntilMs.set(`${offset}:${slot}`, nowMs + leftMs);
      }
      this.handedOver = true;
    }
    const done = new Map([...this.#done].map(([offset, slots]) => [offset, new Set(slots)]));
    const position = Math.max(this.position, this.log.committed.position);
    this.log.committed = { position, done, held };
  }

  lose(): void {
    this.live = false;
    this.handler.lost([]);
  }

  stats(): PartitionStats {
    return {
      topic: this.log.topic,
      partition: LANE,
      lag: this.log.records.length - this.position,
      uncommittedSpan: 0,
      mapChars: this.mapChars,
      paused: this.parked,
      passedOver: this.passedOver.size,
      held: [...this.#heldUntilMs.values()].filter((until) => until > this.#clock.monotonicMs()).length,
    };
  }

  #record(offset: number): TrackedRecord {
    const { log } = this;
    const { headers, value, timestampMs } = log.records[offset]!;
    const slots = log.slotsAt(offset);
    const done = this.#done.get(offset) ?? new Set<number>();
    this.#done.set(offset, done);
    const heldForMs = (slot: number) =>
      Math.max(0, (this.#heldUntilMs.get(`${offset}:${slot}`) ?? 0) - this.#clock.monotonicMs());
    const isLive = () => this.live;
    let dead = false;
    return {
      topic: log.topic,
      partition: LANE,
      offset,
      timestampMs,
      key: headers.ce_tenant ?? null,
      value,
      headers,
      slots,
      isDone: (slot) => done.has(slot),
      complete: (slot) => {
        if (!isLive() || dead) return;
        for (let each = 0; each < slots; each++) if (slot === undefined || slot === each) done.add(each);
      },
      get live() {
        return isLive();
      },
      heldForMs,
      mayStillSettle: (slot) => !isLive() && this.handedOver && heldForMs(slot) > 0,
      passOver: () => {
        if (done.size === slots || dead) return;
        dead = true;
        this.passedOver.add(offset);
      },
    };
  }
}
