import type { StatusClass, WalkedPage, WalkRequest } from '@posthorn/db';
import type { ListScope } from '../../access/tenant-of.ts';
import { type TimeQuery, timeRange } from '../../http/fields.ts';
import { isProblem, type Problem } from '../../http/problem.ts';
import { type List, linkTo, type Page, type Place, placeOf } from '../../http/read-page.ts';

/** What lists of the record say of themselves. */
export const WALK =
  'Newest first. A page looks through a bounded number of rows: where few of them fit it has fewer entries than `limit`, even none, and goes on at `next` until that is null.';

interface OutcomeQuery extends TimeQuery {
  readonly event_id?: string;
  readonly event_type?: string;
  readonly status_class?: StatusClass;
  readonly failure?: string;
}

/** What deliveries and attempts are filtered by alike. */
export const outcomeFilter = (query: OutcomeQuery, { endpointIds }: ListScope) => ({
  ...timeRange(query),
  endpointIds: endpointIds ?? undefined,
  eventId: query.event_id,
  eventType: query.event_type,
  statusClass: query.status_class,
  failure: query.failure,
});

export interface WalkedList<Row> extends Omit<List<Row>, 'keyOf' | 'isKey'> {
  readonly nowMs: number;
  readonly keyOf: (row: Row) => string;
  readonly isKey: (key: string) => boolean;
}

/** A page of a list of the record, in the direction of its cursor; shown is always the newest first. */
export async function walkPage<Row, View>(
  walked: WalkedList<Row>,
  view: (row: Row) => View,
  read: (page: WalkRequest & { readonly nowMs: number }) => Promise<WalkedPage<Row>>,
): Promise<Page<View> | Problem> {
  const list = {
    ...walked,
    keyOf: (row: Row) => [walked.keyOf(row)],
    isKey: ([key]: readonly string[]) => key !== undefined && walked.isKey(key),
  };
  const place = placeOf(list);
  if (isProblem(place)) return place;
  const { limit, at, backwards } = place;
  const direction = backwards ? 'newer' : 'older';
  const found = await read({ limit, direction, after: at?.[0] ?? null, nowMs: walked.nowMs });
  return linkPage(list, place, found, view);
}

/** Also a page without rows goes on where the walk has stopped. */
function linkPage<Row, View>(
  list: List<Row>,
  { at, backwards }: Place,
  { rows, readTo }: WalkedPage<Row>,
  view: (row: Row) => View,
): Page<View> {
  const [first] = rows;
  const keyOfFirst = first === undefined ? null : list.keyOf(first);
  const goOn = readTo === null ? null : [readTo];
  const link = (direction: 'next' | 'prev', key: readonly string[] | null): string | null =>
    key && linkTo(list, direction, key);
  if (backwards) {
    const data = rows.toReversed().map(view);
    return { data, next: link('next', keyOfFirst ?? at), prev: link('prev', goOn) };
  }
  return { data: rows.map(view), next: link('next', goOn), prev: at && link('prev', keyOfFirst) };
}
