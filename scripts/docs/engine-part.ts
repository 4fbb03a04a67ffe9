/** What bounds the delivery engine, part by part: where each number stands, never the number. */
export interface Part {
  readonly part: string;
  /** `service: KEY`. */
  readonly keys: readonly string[];
  readonly fixed: readonly Fixed[];
}

interface Fixed {
  readonly limit: string;
  readonly file: string;
  /** Name of a constant, or of a property in the file where only one has it. */
  readonly name: string;
  readonly unit: string;
  readonly meaning: string;
}

export const fixed = (limit: string, unit: string, file: string, name: string, meaning: string): Fixed => ({
  limit,
  file,
  name,
  unit,
  meaning,
});
