/**
 * Retry tiers: one topic per fixed delay, so that order of arrival is order of release. A wait is walked tier by
 * tier: the longest tier that fits, then the rest. What is left within the releaser's look-ahead (25 % of the tier,
 * 20 s at most) is waited out in its heap, so that jitter and odd delays need no further hop.
 */
export interface Tier {
  readonly name: string;
  readonly delayMs: number;
}

export const DEFAULT_TIERS = '1s,4s,16s,64s,256s,15m,1h,6h,24h';
export const LOOK_AHEAD_SHARE = 0.25;
export const MAX_LOOK_AHEAD_MS = 20_000;
export const MAX_TIERS = 12;
/** All waits of a retry schedule together: topics and rows are kept for no longer beyond it. */
export const MAX_SCHEDULE_MS = 7 * 24 * 3_600_000;

/** Retry schedules by name, in milliseconds after the first, second, … failed attempt. */
export const SCHEDULE_PRESETS = {
  default: [1_000, 4_000, 16_000, 64_000, 256_000],
  /** The waits that Standard Webhooks 1.0 suggests: 75 hours and 35 minutes together. */
  standard: [
    5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000,
  ],
  aggressive: [500, 1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000],
  none: [],
} as const satisfies Record<string, readonly number[]>;
export type SchedulePreset = keyof typeof SCHEDULE_PRESETS;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `50ms`, `4s`, `15m`, `24h`; null for anything else. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,9})(ms|s|m|h)$/.exec(text.trim());
  if (!match) return null;
  return Number(match[1]) * UNIT_MS[match[2]!]!;
}

/**
 * Tiers from `1s,4s,16s`, which must ascend.
 * @throws Error naming the part that is wrong.
 */
export function parseTiers(text: string): Tier[] {
  const tiers = text.split(',').map((part) => {
    const name = part.trim();
    const delayMs = parseDuration(name);
    if (!delayMs) throw new Error(`"${name}" is not a delay such as 50ms, 4s, 15m or 24h`);
    return { name, delayMs };
  });
  if (tiers.length > MAX_TIERS) throw new Error(`${tiers.length} tiers are more than ${MAX_TIERS}`);
  for (let i = 1; i < tiers.length; i++) {
    if (tiers[i]!.delayMs <= tiers[i - 1]!.delayMs) {
      throw new Error(`tier "${tiers[i]!.name}" must be longer than "${tiers[i - 1]!.name}" before it`);
    }
  }
  return tiers;
}

/** How far from a tier's own delay the releaser can still hit a due time exactly. */
export function lookAheadMs(tier: Tier): number {
  return Math.min(tier.delayMs * LOOK_AHEAD_SHARE, MAX_LOOK_AHEAD_MS);
}

/**
 * The tier that a wait of `delayMs` goes to next: the longest whose look-ahead starts before the wait is over, or the
 * shortest of all. The wait itself travels with the record; the releaser sends on what remains after the hop.
 */
export function chooseTier(tiers: readonly Tier[], delayMs: number): Tier {
  for (let i = tiers.length - 1; i > 0; i--) {
    const tier = tiers[i]!;
    if (delayMs >= tier.delayMs - lookAheadMs(tier)) return tier;
  }
  return tiers[0]!;
}

/**
 * `delayMs` spread by ±`percent` % and 20 s at most, by a hash of `key`, so that twins of one delivery wait alike. A
 * wider spread would leave the look-ahead of the tier it was meant for, and be walked in many short hops.
 */
export function jitter(delayMs: number, percent: number, key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  const unit = ((hash ^ (hash >>> 13)) >>> 0) / 0xffffffff;
  const spreadMs = Math.min((delayMs * percent) / 100, MAX_LOOK_AHEAD_MS);
  return Math.round(delayMs + (unit * 2 - 1) * spreadMs);
}

const FIRST_PUT_ASIDE_MS = 1_000;
const LONGEST_PUT_ASIDE_MS = 256_000;

/** How long waits what cannot be handled now and was put aside `bounces` times before: 1 s, doubling to 256 s. */
export function putAsideDelayMs(bounces: number): number {
  return Math.min(FIRST_PUT_ASIDE_MS * 2 ** bounces, LONGEST_PUT_ASIDE_MS);
}
