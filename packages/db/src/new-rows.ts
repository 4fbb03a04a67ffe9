/** Which of the rows that a statement was given are there now and were not before. */
export interface NewRows {
  readonly count: number;
  /** Whether this one is new: true once for each that is, however often it was given. */
  take(id: string): boolean;
}

/** `ids` are joined by commas; left out when all that were given are new, as nearly always. */
export function newRows(given: number, { count, ids }: { count: number; ids: string | null }): NewRows {
  if (count === given) return { count, take: () => true };
  const left = new Set(ids?.split(','));
  return { count, take: (id) => left.delete(id) };
}

export const NO_NEW_ROWS: NewRows = { count: 0, take: () => false };
