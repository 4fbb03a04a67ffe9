import type { World } from './scenario.ts';

/** A length that grows with the form of the run. */
export function byForm<T>(world: Pick<World, 'form'>, lengths: { short: T; tenMinutes: T; long: T }): T {
  if (world.form === 'long') return lengths.long;
  return world.form === 'short' ? lengths.short : lengths.tenMinutes;
}
