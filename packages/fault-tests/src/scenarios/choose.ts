import type { World } from './scenario.ts';

/** A length that grows with the form of the run. */
export function byForm<T>(world: Pick<World, 'form'>, lengths: { short: T; tenMinutes: T; long: T }): T {
  if (world.form === 'long') return lengths.long;
  return world.form === 'short' ? lengths.short : lengths.tenMinutes;
}

/** For services whose receivers fail on purpose: what fails is to be tried again, not to wait for its circuit. */
export const NO_CIRCUITS = { BREAKER_MIN_ATTEMPTS: '10000' };
