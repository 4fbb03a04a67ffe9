export interface Case {
  readonly name: string;
  /** Null: for the record alone. */
  readonly targetUs: number | null;
  call(): unknown;
}

const BATCHES = 40;
const CALLS_OF_A_BATCH = 250;

/**
 * Microseconds of a call. The median of a round's batches leaves out what interrupts a few of them (the collector, the
 * scheduler); the least of the rounds is the one that had the machine most to itself.
 */
export async function measure({ call }: Case, rounds: number): Promise<number> {
  await round(call);
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < rounds; i++) least = Math.min(least, median(await round(call)));
  return least;
}

async function round(call: Case['call']): Promise<number[]> {
  const batches: number[] = [];
  for (let i = 0; i < BATCHES; i++) {
    const startedMs = performance.now();
    for (let j = 0; j < CALLS_OF_A_BATCH; j++) {
      const answer = call();
      if (answer instanceof Promise) await answer;
    }
    batches.push(((performance.now() - startedMs) * 1_000) / CALLS_OF_A_BATCH);
  }
  return batches;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
