/** Where a page of a list by id starts. */
export interface PlaceInList {
  /** The id beside which the page starts; null for the first page. */
  readonly at: string | null;
  readonly backwards: boolean;
  readonly limit: number;
}
