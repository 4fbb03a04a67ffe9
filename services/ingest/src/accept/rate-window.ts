import { randomBytes } from 'node:crypto';
import type { OthersCounts, RateCounts, RateReport, RateUse } from '@posthorn/db';
import { RATE_SLOT_MS, SLOTS_PER_SECOND } from '@posthorn/db';
import type { RateExchange } from '@posthorn/tenant-config';
import { hear } from './hear-others.ts';
import {
  createTenantSlots,
  HORIZON_SLOTS,
  hasRoom,
  moveTo,
  nextRoom,
  ownCounts,
  ownInLastMinute,
  ownInLastSecond,
  ownSpans,
  refuse,
  setLimit,
  slotOf,
  type TenantSlots,
  take,
} from './rate-slots.ts';
import { createSharedTime } from './shared-time.ts';

/**
 * The event rate of each tenant: at most `limit` events in a second, all of them at once if he likes, over all replicas
 * together. Each request is decided here and now; what other replicas have admitted comes with the statement that
 * reads the configuration (`report`, `read`), and what was admitted too much meanwhile is repaid (`TenantSlots`).
 *
 * Modes: *alone* (no other live replica: nothing is reported) ⇄ *together* → *apart* (nothing was read for a while,
 * Postgres is away: each replica has its share of the limit) → *alone* or *together* with the next reading.
 */
export interface RateWindow extends RateExchange {
  readonly replicaId: string;
  /** Counts one event of the tenant unless his last second is full. Times are by the monotonic clock. */
  admit(tenantId: string, limit: number, nowMs: number): Admission;
  /** Admitted by this process. */
  used(tenantId: string, nowMs: number): RateUse;
  readonly tenants: number;
  /** Live replicas as of the last reading, this one included. */
  readonly replicas: number;
  /** Other replicas are out of sight: this one holds tenants to its share. */
  isApart(nowMs: number): boolean;
}

export interface Admission {
  readonly admitted: boolean;
  /** What was held to: the tenant's limit, or this replica's share of it. */
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until a refused sender may try again, or until an admitted one's window is empty. */
  readonly resetMs: number;
}

export interface RateWindowOptions {
  readonly replicaId?: string;
  /** Windows in memory, 2 kB each, 10 kB once others are heard of; those used least recently make room. */
  readonly maxTenants?: number;
  /** Told at each report about tenants that have used this much of their limit. */
  readonly onNear?: (near: NearLimit) => void;
}

export interface NearLimit {
  readonly tenantId: string;
  readonly limit: number;
  readonly used: number;
}

export const WINDOW_MS = 1_000;
export const DEFAULT_MAX_TENANTS = 20_000;
export const NEAR_PERCENT = 80;
/** Tenants of one report; the rest has its turn in the next. */
export const MAX_REPORTED_TENANTS = 1_000;
/** Up to as many are all reported every time; of more, those far from their limit once a second. */
export const MAX_PROMPT_TENANTS = 100;
/** Without an answer for this long other replicas are out of sight. */
export const APART_AFTER_MS = 2_000;
const MAX_SPARED = 8;

export function createRateWindow(options: RateWindowOptions = {}): RateWindow {
  const { maxTenants = DEFAULT_MAX_TENANTS, onNear } = options;
  const time = createSharedTime();
  const windows = new Map<string, TenantSlots>();
  let touched: TenantSlots[] = [];
  /** Those that the report under way asks about. */
  let asked: TenantSlots[] = [];
  let replicas = 1;
  let readAtMs = Number.POSITIVE_INFINITY;

  const slotAt = (monotonicMs: number): number => slotOf(time.at(monotonicMs));

  function open(tenantId: string, slot: number, limit: number): TenantSlots {
    while (windows.size >= maxTenants) makeRoom(slot);
    const opened = createTenantSlots(tenantId, slot, limit);
    windows.set(tenantId, opened);
    return opened;
  }

  /** The first of the map that is not in use: those in use go to its end. */
  function makeRoom(slot: number): void {
    let spared = 0;
    for (const [tenantId, window] of windows) {
      windows.delete(tenantId);
      if (spared >= MAX_SPARED || slot - window.slot > SLOTS_PER_SECOND) return;
      windows.set(tenantId, window);
      spared += 1;
    }
  }

  const isApart = (nowMs: number): boolean => replicas > 1 && nowMs - readAtMs > APART_AFTER_MS;

  const limitNow = (limit: number, nowMs: number): number =>
    isApart(nowMs) ? Math.max(1, Math.ceil(limit / replicas)) : limit;

  const isNear = ({ used, debt, limit }: TenantSlots): boolean => (used + debt) * 100 >= limit * NEAR_PERCENT;

  const isDue = (window: TenantSlots, slot: number): boolean =>
    touched.length <= MAX_PROMPT_TENANTS ||
    window.used * 2 * replicas >= window.limit ||
    slot - window.reportedSlot >= SLOTS_PER_SECOND;

  return {
    replicaId: options.replicaId ?? `ingest-${randomBytes(8).toString('hex')}`,
    admit(tenantId, limit, nowMs) {
      const slot = slotAt(nowMs);
      const held = limitNow(limit, nowMs);
      const window = windows.get(tenantId) ?? open(tenantId, slot, limit);
      moveTo(window, slot);
      if (window.limit !== limit) setLimit(window, limit);
      if (!window.isTouched) {
        window.isTouched = true;
        touched.push(window);
      }
      if (!hasRoom(window) || window.used >= held) {
        refuse(window);
        const resetMs = nextRoom(window, held) * RATE_SLOT_MS - time.at(nowMs);
        return { admitted: false, limit: held, remaining: 0, resetMs };
      }
      take(window);
      return { admitted: true, limit: held, remaining: held - window.used, resetMs: WINDOW_MS };
    },
    used(tenantId, nowMs) {
      const window = windows.get(tenantId);
      if (!window) return { lastSecond: 0, lastMinute: 0 };
      moveTo(window, slotAt(nowMs));
      return { lastSecond: ownInLastSecond(window), lastMinute: ownInLastMinute(window) };
    },
    report(nowMs): RateReport {
      const slot = slotAt(nowMs);
      const rows: RateCounts[] = [];
      const later: TenantSlots[] = [];
      asked = [];
      for (const window of touched) {
        moveTo(window, slot);
        const { tenantId } = window;
        if (isNear(window)) onNear?.({ tenantId, limit: window.limit, used: window.used });
        if (replicas > 1 && (asked.length >= MAX_REPORTED_TENANTS || !isDue(window, slot))) {
          later.push(window);
          continue;
        }
        window.isTouched = false;
        if (replicas === 1) continue;
        window.reportedSlot = slot;
        asked.push(window);
        if (slot - window.lastAdmittedSlot < HORIZON_SLOTS)
          rows.push({ tenantId, counts: ownCounts(window), minuteCounts: ownSpans(window) });
      }
      touched = later;
      return { slot, rows, about: asked.map((window) => window.tenantId) };
    },
    read({ sentAtMs, receivedAtMs, nowMs, others, rates }) {
      time.observe({ sentAtMs, receivedAtMs, theirsMs: nowMs });
      replicas = others + 1;
      readAtMs = receivedAtMs;
      const slot = slotAt(receivedAtMs);
      const heard = Map.groupBy(rates, (rate: OthersCounts) => rate.tenantId);
      for (const window of asked) {
        const reports = heard.get(window.tenantId);
        if (reports === undefined && window.others === null) continue;
        moveTo(window, slot);
        hear(window, reports ?? [], replicas);
      }
    },
    get tenants() {
      return windows.size;
    },
    get replicas() {
      return replicas;
    },
    isApart,
  };
}
