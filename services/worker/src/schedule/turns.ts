import { type Linked, List } from './list.ts';

/** Time in flight that each member may use in a round before the next has its turn. */
export const QUANTUM_MS = 100;

/** Someone who takes turns: a tenant among tenants, an endpoint among those of its tenant. */
export interface Turn<T extends Turn<T>> extends Linked<T> {
  /** Time in flight that it was charged, plus what it missed while it had nothing to start. */
  usedMs: number;
  /** Slow members may be closed off while fast ones go on. */
  slow: boolean;
  /** Where it waits for its turn; null while it does not. */
  turns: Turns<T> | null;
}

const roundOf = (usedMs: number): number => Math.floor(usedMs / QUANTUM_MS);

/**
 * Deficit round robin by time in flight. A round gives each member one quantum; who used more sits out as many rounds
 * as that is worth, and is kept in the list of the round in which his turn comes, so that no round is spent on looking
 * at debtors. Nobody is served while another is a whole round behind him: so two members with work differ by less than
 * a quantum and one charge.
 *
 * A member whose round is too far for the lists is looked at when the last of them comes, and put off again.
 */
export class Turns<T extends Turn<T>> {
  readonly #lists: (List<T> | undefined)[] = [];
  readonly #mask: number;
  /** No member stands before it. */
  #round = 0;
  /** The round of list 0: a member alone never leaves that list, and most tenants have one endpoint. */
  #base = 0;
  /** Rounds that passed for all members at once; what members used is kept without them while they are in. */
  #passed = 0;
  length = 0;

  /** @param lists a power of two. */
  constructor(lists: number) {
    this.#mask = lists - 1;
  }

  /** The round of `first`, once that was asked. */
  get round(): number {
    return this.#round + this.#passed;
  }

  join(member: T): void {
    member.usedMs -= this.#passed * QUANTUM_MS;
    member.turns = this;
    this.length += 1;
    this.#put(member);
  }

  leave(member: T): void {
    member.list!.remove(member);
    member.usedMs += this.#passed * QUANTUM_MS;
    member.turns = null;
    this.length -= 1;
  }

  charge(member: T, ms: number): void {
    const before = roundOf(member.usedMs);
    member.usedMs += ms;
    if (roundOf(member.usedMs) === before) return;
    member.list!.remove(member);
    this.#put(member);
  }

  first(): T | null {
    if (this.length === 0) return null;
    for (;;) {
      const list = this.#lists[this.#listOf(this.#round)];
      const member = list?.first ?? null;
      if (member === null) this.#round += 1;
      else if (roundOf(member.usedMs) <= this.#round) return member;
      else {
        list!.remove(member);
        this.#put(member);
      }
    }
  }

  /** Lets rounds pass for all, who could not be served: what they missed is not made up for. */
  catchUp(round: number): void {
    if (this.first() !== null && this.round < round) this.#passed += round - this.round;
  }

  #put(member: T): void {
    const round = roundOf(member.usedMs);
    if (this.length === 1) {
      this.#round = round;
      this.#base = round;
    } else if (round < this.#round) this.#round = round;
    const list = this.#listOf(Math.min(round, this.#round + this.#mask));
    this.#lists[list] ??= new List();
    this.#lists[list].push(member);
  }

  #listOf(round: number): number {
    return (round - this.#base) & this.#mask;
  }
}

/** Turns of fast and slow members in rounds of their own, so that slow ones can be closed off without a search. */
export class ClassedTurns<T extends Turn<T>> {
  readonly #fast: Turns<T>;
  readonly #slow: Turns<T>;
  #round = 0;
  #slowWasFirst = false;

  constructor(lists: number) {
    this.#fast = new Turns(lists);
    this.#slow = new Turns(lists);
  }

  get length(): number {
    return this.#fast.length + this.#slow.length;
  }

  /** Comes in at the round that is being served: nobody saves up turns that he did not wait for. */
  join(member: T): void {
    member.usedMs = Math.max(member.usedMs, this.#round * QUANTUM_MS);
    this.#of(member).join(member);
  }

  leave(member: T): void {
    member.turns!.leave(member);
  }

  /** Also of one that waits for no turn; a charge that turned out too high is given back as a negative one. */
  charge(member: T, ms: number): void {
    if (member.turns === null) member.usedMs += ms;
    else member.turns.charge(member, ms);
  }

  classify(member: T, slow: boolean): void {
    const waits = member.turns !== null;
    if (waits) this.leave(member);
    member.slow = slow;
    if (waits) this.#of(member).join(member);
  }

  /** Whose turn it is; it stays the same one's until he is charged a quantum, or leaves. */
  first(slowMayStart: boolean): T | null {
    const chosen = this.#choose(this.#fast.first(), this.#slow.first(), slowMayStart);
    if (chosen !== null) this.#round = chosen.turns!.round;
    return chosen;
  }

  #choose(fast: T | null, slow: T | null, slowMayStart: boolean): T | null {
    if (!slowMayStart) {
      if (fast !== null) this.#slow.catchUp(this.#fast.round);
      return fast;
    }
    if (fast === null || slow === null) return fast ?? slow;
    // In the same round in turn: newcomers to one class must not keep the round from ending for the other.
    const slowIsFirst =
      this.#slow.round === this.#fast.round ? !this.#slowWasFirst : this.#slow.round < this.#fast.round;
    this.#slowWasFirst = slowIsFirst;
    return slowIsFirst ? slow : fast;
  }

  #of(member: T): Turns<T> {
    return member.slow ? this.#slow : this.#fast;
  }
}
