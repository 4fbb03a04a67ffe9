/**
 * How often a costly property is tried: `quick` times in `npm test`, as many times more as PROPERTY_RUNS_FACTOR says
 * (the nightly run sets it).
 */
export function propertyRuns(quick: number): number {
  return quick * Math.max(1, Number(process.env.PROPERTY_RUNS_FACTOR ?? 1) || 1);
}
