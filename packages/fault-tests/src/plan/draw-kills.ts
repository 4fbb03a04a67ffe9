import type { Random } from '../random.ts';

export const KILLED = ['ingest', 'dispatcher', 'worker', 'recorder', 'broker', 'postgres'] as const;
export type Killed = (typeof KILLED)[number];

export interface PlannedKill {
  /** From the kill before. */
  readonly afterMs: number;
  readonly kind: Killed;
  /** Which of its processes, as a share of them. */
  readonly which: number;
  /** How long it stays down before it is started again. */
  readonly downMs: number;
}

export interface KillPlan {
  readonly kills: number;
  readonly leastGapMs: number;
  readonly mostGapMs: number;
  readonly kinds?: readonly Killed[];
}

const MOST_DOWN_MS = 1_000;

/** Every kind equally often, in an order and at moments that the seed decides. */
export function drawKills(random: Random, plan: KillPlan): PlannedKill[] {
  const kinds = plan.kinds ?? KILLED;
  const order: Killed[] = [];
  while (order.length < plan.kills) order.push(...random.shuffle(kinds));
  return order.slice(0, plan.kills).map((kind) => ({
    afterMs: Math.round(random.between(plan.leastGapMs, plan.mostGapMs)),
    kind,
    which: random.next(),
    downMs: Math.round(random.between(0, MOST_DOWN_MS)),
  }));
}
