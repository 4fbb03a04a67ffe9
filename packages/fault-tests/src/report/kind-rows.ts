import type { Verdict } from '../oracle/judge.ts';
import type { Evidence, Fault, Kind } from '../oracle/ledgers.ts';

/** What one kind of kill did, over a run. */
export interface KindRow {
  readonly kind: Kind;
  readonly kills: number;
  readonly lost: number;
  readonly duplicates: number;
  /** What was in flight at these kills or settled just before, all of it. */
  readonly bound: number;
  /** Copies that an earlier fault had made, and whose memory these kills lost. */
  readonly secondCopies: number;
  readonly gracefulStops: number;
  readonly gracefulDuplicates: number;
}

/** A loss counts against the last fault before the event was lost sight of. */
export function kindRows({ faults }: Pick<Evidence, 'faults'>, verdict: Verdict): KindRow[] {
  const byKind = Map.groupBy(faults, ({ kind }) => kind);
  const lostAfter = Map.groupBy(verdict.lost, ({ event }) => lastBefore(faults, event.answeredAtMs)?.kind);
  const graceful = (fault: Fault) => fault.graceful;
  return [...byKind].map(([kind, of]) => {
    const tallies = of.map(
      (fault) => verdict.repeats.perFault.get(fault) ?? { repeats: 0, copies: 0, bound: 0 },
    );
    const orderly = of.filter(graceful);
    return {
      kind,
      kills: of.length - orderly.length,
      lost: lostAfter.get(kind)?.length ?? 0,
      duplicates: tallies.reduce((sum, { repeats }) => sum + repeats, 0),
      bound: tallies.reduce((sum, { bound }) => sum + bound, 0),
      secondCopies: tallies.reduce((sum, { copies }) => sum + copies, 0),
      gracefulStops: orderly.length,
      gracefulDuplicates: verdict.repeats.unexplained.filter(
        ({ arrival }) =>
          graceful(lastBefore(faults, arrival.atMs) ?? of[0]!) &&
          lastBefore(faults, arrival.atMs)?.kind === kind,
      ).length,
    };
  });
}

function lastBefore(faults: readonly Fault[], atMs: number): Fault | undefined {
  return faults.findLast(({ fromMs }) => fromMs <= atMs);
}

const ORDER: readonly Kind[] = ['ingest', 'dispatcher', 'worker', 'recorder', 'broker', 'postgres'];

/** One row a kind, in the order in which an event meets them. */
export function addRows(rows: readonly KindRow[]): KindRow[] {
  const byKind = [...Map.groupBy(rows, ({ kind }) => kind)].sort(
    ([a], [b]) => ORDER.indexOf(a) - ORDER.indexOf(b),
  );
  return byKind.map(([kind, same]) => {
    const sum = (of: (row: KindRow) => number) => same.reduce((total, row) => total + of(row), 0);
    return {
      kind,
      kills: sum((row) => row.kills),
      lost: sum((row) => row.lost),
      duplicates: sum((row) => row.duplicates),
      bound: sum((row) => row.bound),
      secondCopies: sum((row) => row.secondCopies),
      gracefulStops: sum((row) => row.gracefulStops),
      gracefulDuplicates: sum((row) => row.gracefulDuplicates),
    };
  });
}
