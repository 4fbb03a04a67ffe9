import type { TenantId } from '@posthorn/contracts';
import { OffsetRuns } from './offset-runs.ts';

/** What one tenant has in the overflow of a lane. */
interface TenantBacklog {
  /** Its records that were passed over, since it had no room. */
  readonly passedOver: OffsetRuns;
  /** Records on their way to the overflow. */
  moving: number;
  /** The last of its copies that we know of. */
  lastCopy: number;
}

/** Tenants whose records are read again at once: each costs a look at every record on the way. */
export const MAX_WANTING = 64;

const ENOUGH_SHARE = 0.75;

/**
 * Who has records in the overflow of one lane, and where they are to be read again. Offsets are kept as runs, bounded
 * over all tenants (by two for each where these are many): past the bound neighbouring runs become one, and what lies
 * between them is read again in vain.
 */
export class Backlog {
  readonly #maxRuns: number;
  readonly #tenants = new Map<TenantId, TenantBacklog>();
  /** Those that have room again: their records are read again. */
  readonly #wanting = new Set<TenantId>();
  /** Those that have room too, and wait for their turn. */
  readonly #waiting = new Set<TenantId>();
  #runs = 0;
  /** How far the overflow has been read. */
  #readTo: number;

  constructor(maxRuns: number, readTo: number) {
    this.#maxRuns = maxRuns;
    this.#readTo = readTo;
  }

  get readTo(): number {
    return this.#readTo;
  }

  get runs(): number {
    return this.#runs;
  }

  get tenants(): number {
    return this.#tenants.size;
  }

  get wanting(): boolean {
    return this.#wanting.size > 0;
  }

  /** Copies are in the log, or on their way to it, that were not read. */
  get expects(): boolean {
    for (const { moving, lastCopy } of this.#tenants.values()) {
      if (moving > 0 || lastCopy >= this.#readTo) return true;
    }
    return false;
  }

  /** Whether what comes of a tenant has to follow what is there already. */
  has(tenantId: TenantId): boolean {
    return this.#tenants.size > 0 && this.#tenants.has(tenantId);
  }

  isPassedOver(offset: number): boolean {
    for (const { passedOver } of this.#tenants.values()) {
      if (passedOver.firstFrom(offset) === offset) return true;
    }
    return false;
  }

  hasPassedOver(tenantId: TenantId): boolean {
    return (this.#tenants.get(tenantId)?.passedOver.size ?? 0) > 0;
  }

  /** How many records of each tenant were passed over: with merged runs a few too many. */
  *passedOver(): Generator<readonly [TenantId, number], void> {
    for (const [tenantId, { passedOver }] of this.#tenants) yield [tenantId, passedOver.span];
  }

  moving(tenantId: TenantId): void {
    this.#open(tenantId).moving += 1;
  }

  /** Null: the copy was given up. */
  moved(tenantId: TenantId, copy: number | null): void {
    const tenant = this.#open(tenantId);
    tenant.moving -= 1;
    tenant.lastCopy = Math.max(tenant.lastCopy, copy ?? -1);
    this.#closeIfEmpty(tenantId, tenant);
  }

  /** A record is read for the first time. */
  read(tenantId: TenantId, offset: number): void {
    this.#readTo = Math.max(this.#readTo, offset + 1);
    const tenant = this.#tenants.get(tenantId);
    if (tenant !== undefined) this.#closeIfEmpty(tenantId, tenant);
  }

  /**
   * A record that was passed over is read again. What stands between it and `from`, where reading began, is gone, or was
   * never there: runs that were merged say too much.
   */
  readAgain(tenantId: TenantId, from: number, offset: number): void {
    const own = this.#tenants.get(tenantId);
    if (own !== undefined) this.#drop(tenantId, own, offset, offset + 1);
    for (const wanting of this.#wanting) this.#drop(wanting, this.#tenants.get(wanting)!, from, offset + 1);
  }

  /** Nothing of who wants to be read again is there from `from` to before `to`. */
  isGone(from: number, to: number): void {
    for (const wanting of this.#wanting) this.#drop(wanting, this.#tenants.get(wanting)!, from, to);
  }

  passOver(tenantId: TenantId, offset: number): void {
    const tenant = this.#open(tenantId);
    this.#change(tenant, () => tenant.passedOver.add(offset));
    if (this.#runs > this.#bound) this.#merge();
  }

  wants(tenantId: TenantId): boolean {
    return this.#wanting.has(tenantId);
  }

  want(tenantId: TenantId): void {
    const tenant = this.#tenants.get(tenantId);
    if (tenant === undefined || tenant.passedOver.size === 0) return;
    if (this.#wanting.size < MAX_WANTING) this.#wanting.add(tenantId);
    else if (!this.#wanting.has(tenantId)) this.#waiting.add(tenantId);
  }

  wantNoMore(tenantId: TenantId): void {
    this.#waiting.delete(tenantId);
    if (!this.#wanting.delete(tenantId)) return;
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      this.#wanting.add(next);
      return;
    }
  }

  /** The next record that is wanted from an offset on, else the first of all; null when nothing is. */
  nextWanted(from: number): number | null {
    let ahead: number | null = null;
    let first: number | null = null;
    for (const tenantId of this.#wanting) {
      const { passedOver } = this.#tenants.get(tenantId)!;
      ahead = least(ahead, passedOver.firstFrom(from));
      first = least(first, passedOver.first);
    }
    return ahead ?? first;
  }

  /** The first of all that is passed over. */
  get oldest(): number | null {
    let oldest: number | null = null;
    for (const { passedOver } of this.#tenants.values()) oldest = least(oldest, passedOver.first);
    return oldest;
  }

  tenantIds(): Iterable<TenantId> {
    return this.#tenants.keys();
  }

  /** Nothing is passed over any more, by who must know. */
  clear(): void {
    for (const [tenantId, tenant] of this.#tenants) {
      this.#drop(tenantId, tenant, 0, Number.POSITIVE_INFINITY);
    }
  }

  #open(tenantId: TenantId): TenantBacklog {
    let tenant = this.#tenants.get(tenantId);
    if (tenant === undefined) {
      tenant = { passedOver: new OffsetRuns(), moving: 0, lastCopy: -1 };
      this.#tenants.set(tenantId, tenant);
    }
    return tenant;
  }

  #closeIfEmpty(tenantId: TenantId, { passedOver, moving, lastCopy }: TenantBacklog): void {
    if (passedOver.size > 0) return;
    this.wantNoMore(tenantId);
    if (moving === 0 && lastCopy < this.#readTo) this.#tenants.delete(tenantId);
  }

  #drop(tenantId: TenantId, tenant: TenantBacklog, from: number, to: number): void {
    this.#change(tenant, () => tenant.passedOver.drop(from, to));
    this.#closeIfEmpty(tenantId, tenant);
  }

  #change({ passedOver }: TenantBacklog, change: () => void): void {
    const before = passedOver.size;
    change();
    this.#runs += passedOver.size - before;
  }

  /** A tenant has one run at least. */
  get #bound(): number {
    return Math.max(this.#maxRuns, 2 * this.#tenants.size);
  }

  /** Of who has most; of all where that gives little room, or the next record would be searched for again. */
  #merge(): void {
    let most: TenantBacklog | undefined;
    for (const tenant of this.#tenants.values()) {
      if (most === undefined || tenant.passedOver.size > most.passedOver.size) most = tenant;
    }
    if (most === undefined) return;
    this.#change(most, () => most.passedOver.merge());
    if (this.#runs <= this.#bound * ENOUGH_SHARE) return;
    for (const tenant of this.#tenants.values()) this.#change(tenant, () => tenant.passedOver.merge());
  }
}

function least(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}
