/** A member of at most one list at a time. */
export interface Linked<T extends Linked<T>> {
  list: List<T> | null;
  before: T | null;
  after: T | null;
}

/** A list linked through its members: each is put in and taken out, wherever it stands, in the same time. */
export class List<T extends Linked<T>> {
  first: T | null = null;
  last: T | null = null;
  length = 0;

  push(member: T): void {
    member.list = this;
    member.before = this.last;
    if (this.last === null) this.first = member;
    else this.last.after = member;
    this.last = member;
    this.length += 1;
  }

  unshift(member: T): void {
    member.list = this;
    member.after = this.first;
    if (this.first === null) this.last = member;
    else this.first.before = member;
    this.first = member;
    this.length += 1;
  }

  shift(): T | null {
    const { first } = this;
    if (first !== null) this.remove(first);
    return first;
  }

  /** @throws Error when it is in another list, or in none. */
  remove(member: T): void {
    if (member.list !== this) throw new Error('the member is not in this list');
    if (member.before === null) this.first = member.after;
    else member.before.after = member.after;
    if (member.after === null) this.last = member.before;
    else member.after.before = member.before;
    member.list = null;
    member.before = null;
    member.after = null;
    this.length -= 1;
  }

  /** The member at hand may be removed on the way. */
  *[Symbol.iterator](): Generator<T, void> {
    for (let member = this.first; member !== null; ) {
      const { after } = member;
      yield member;
      member = after;
    }
  }
}
