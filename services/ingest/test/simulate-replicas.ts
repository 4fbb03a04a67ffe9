import { type OthersCounts, RATE_FRESH_MS, type RateReport } from '@posthorn/db';
import { createRateWindow, type RateWindow } from '../src/accept/rate-window.ts';

export interface World {
  readonly replicas: number;
  readonly limit: number;
  /** The longest way of a statement to Postgres, and of its answer back. */
  readonly delayMs: number;
  readonly seed: number;
  /** What is sent to each replica, in limits. */
  readonly pressure: number;
  /** What is too much in any one second, over all replicas, is not sent at all. */
  readonly keepsToLimit: boolean;
  readonly durationMs: number;
  /** Sent before what is counted: none, and the tenant is idle at the start. */
  readonly warmUpMs: number;
}

interface Step {
  readonly atMs: number;
  run(): void;
}

const POLL_MS = 100;
const SYNCED_MS = 110;
/** Far from each other and from the replicas' own. */
const POSTGRES_CLOCK_MS = 1_790_000_000_007;
const TENANT = 'acme';

/**
 * Replicas with clocks of their own that exchange reports over a Postgres with delays of its own, and a sender with
 * bursts and pauses who picks a replica at random. What is offered and admitted is counted.
 */
export function simulate(world: World): { readonly offered: number; readonly admitted: number } {
  const random = mulberry32(world.seed);
  const table = new Map<number, { atMs: number; report: RateReport }>();
  const replicas = Array.from({ length: world.replicas }, () => ({
    rate: createRateWindow(),
    bootMs: Math.floor(random() * 1_000_000),
  }));
  const steps: Step[] = replicas.flatMap((replica, i) => polls(world, random, table, { ...replica, i }));
  const counted = { offered: 0, admitted: 0 };
  for (const atMs of arrivals(world, random)) {
    const { rate, bootMs } = replicas[Math.floor(random() * replicas.length)]!;
    steps.push({
      atMs,
      run() {
        const { admitted } = rate.admit(TENANT, world.limit, atMs + bootMs);
        if (atMs < SYNCED_MS + world.warmUpMs) return;
        counted.offered += 1;
        counted.admitted += Number(admitted);
      },
    });
  }
  for (const step of steps.sort((a, b) => a.atMs - b.atMs)) step.run();
  return counted;
}

interface Replica {
  readonly rate: RateWindow;
  readonly bootMs: number;
  readonly i: number;
}

function polls(
  { delayMs, durationMs, warmUpMs, replicas }: World,
  random: () => number,
  table: Map<number, { atMs: number; report: RateReport }>,
  { rate, bootMs, i }: Replica,
): Step[] {
  const steps: Step[] = [];
  const endMs = SYNCED_MS + warmUpMs + durationMs;
  for (let sentMs = random() * POLL_MS; sentMs < endMs; ) {
    // The first answer is quick: how far clocks are apart is known from the start.
    const way = steps.length === 0 ? 2 : delayMs;
    const sentAtMs = sentMs;
    const servedMs = sentAtMs + random() * way;
    const receivedMs = servedMs + random() * way;
    let report: RateReport;
    let rates: OthersCounts[];
    steps.push(
      {
        atMs: sentAtMs,
        run() {
          report = rate.report(sentAtMs + bootMs);
        },
      },
      {
        atMs: servedMs,
        run() {
          rates = [...table]
            .filter(([by, row]) => by !== i && servedMs - row.atMs < RATE_FRESH_MS)
            .map(([, { report: said }]) => ({
              tenantId: TENANT,
              slot: said.slot,
              counts: said.rows[0]!.counts,
            }));
          if (!report.about.includes(TENANT)) rates = [];
          if (report.rows.length > 0) table.set(i, { atMs: servedMs, report });
        },
      },
      {
        atMs: receivedMs,
        run: () =>
          rate.read({
            sentAtMs: sentAtMs + bootMs,
            receivedAtMs: receivedMs + bootMs,
            nowMs: servedMs + POSTGRES_CLOCK_MS,
            others: replicas - 1,
            rates,
          }),
      },
    );
    sentMs = receivedMs + POLL_MS;
  }
  return steps;
}

function arrivals(
  { limit, pressure, replicas, keepsToLimit, durationMs, warmUpMs }: World,
  random: () => number,
): number[] {
  const perMs = (limit * pressure * (keepsToLimit ? 1 : replicas)) / 1_000;
  const times: number[] = [];
  const endMs = SYNCED_MS + warmUpMs + durationMs;
  // The first answer comes before the first request.
  let atMs = SYNCED_MS;
  while (atMs < endMs) {
    // Bursts and pauses, where the sender is one who minds his limit: they are what a window gets wrong.
    const gap = -Math.log(1 - random()) / perMs;
    atMs += keepsToLimit && random() < 0.02 ? gap + random() * 900 : gap;
    if (keepsToLimit && times.length >= limit && atMs - times[times.length - limit]! < 1_000) {
      atMs = times[times.length - limit]! + 1_000;
    }
    times.push(atMs);
  }
  return times.filter((time) => time < endMs);
}

/** A small generator of numbers from a seed: a run that failed can be had again. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
