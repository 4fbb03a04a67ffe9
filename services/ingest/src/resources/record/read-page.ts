import type { WalkedPage, WalkRequest } from '@posthorn/db';
import type { TenantLookups } from '../../access/authorise.ts';
import { unknownTenant } from '../../access/authorise.ts';
import { type Caller, mayActFor } from '../../access/caller.ts';
import { visibleEndpoints } from '../../access/visible-endpoints.ts';
import { type Cursor, DEFAULT_PAGE, decodeCursor, encodeCursor, pathOf } from '../../http/cursor.ts';
import { invalidRequest, isProblem, type Problem } from '../../http/problem.ts';

type Query = Readonly<Record<string, string | undefined>>;

/** Whose rows are asked for, and which of them the caller may see. */
export interface Scope {
  /** Null: of all tenants. */
  readonly tenantId: string | null;
  /** Null: all. */
  readonly endpointIds: readonly string[] | null;
}

export async function scopeOf(
  tenants: TenantLookups,
  caller: Caller,
  query: { readonly tenant_id?: string; readonly webhook_id?: string },
): Promise<Scope | Problem> {
  if (query.tenant_id !== undefined && !mayActFor(caller, query.tenant_id))
    return unknownTenant(query.tenant_id);
  const tenantId = caller.tenantId ?? query.tenant_id ?? null;
  const seen = tenantId === null ? null : await visibleEndpoints(tenants, caller, tenantId);
  if (seen !== null && isProblem(seen)) return seen;
  const wanted = query.webhook_id;
  if (wanted === undefined) return { tenantId, endpointIds: seen };
  return { tenantId, endpointIds: seen === null || seen.includes(wanted) ? [wanted] : [] };
}

export interface ListRequest<Row> {
  /** Without the prefix: `/deliveries`. */
  readonly path: string;
  readonly of: string;
  readonly query: Query;
  readonly tenantId: string | null;
  readonly nowMs: number;
  readonly isKey: (key: string) => boolean;
  readonly keyOf: (row: Row) => string;
}

export interface ListPage<Row> {
  readonly data: readonly Row[];
  readonly next: string | null;
  readonly prev: string | null;
}

/** A page of a list of the record, in the direction of its cursor; shown is always the newest first. */
export async function readPage<Row>(
  request: ListRequest<Row>,
  read: (page: WalkRequest & { readonly nowMs: number }) => Promise<WalkedPage<Row>>,
): Promise<ListPage<Row> | Problem> {
  const cursor = decodeCursor(request.query.cursor, request);
  if (cursor !== null && isProblem(cursor)) return cursor;
  const after = cursor?.at[0] ?? null;
  if (cursor !== null && (after === null || !request.isKey(after))) return NO_PLACE;
  const direction = cursor?.direction === 'prev' ? 'newer' : 'older';
  const limit = Number(request.query.limit ?? DEFAULT_PAGE);
  return linkPage(request, cursor, await read({ limit, direction, after, nowMs: request.nowMs }));
}

const NO_PLACE = invalidRequest([
  { pointer: '?cursor', detail: 'is not a cursor of this list: start without one' },
]);

function linkPage<Row>(
  request: ListRequest<Row>,
  cursor: Cursor | null,
  { rows, readTo }: WalkedPage<Row>,
): ListPage<Row> {
  const { of, tenantId, keyOf } = request;
  const link = (direction: Cursor['direction'], key: string | null): string | null =>
    key === null ? null : pathOf(request, encodeCursor({ of, tenantId, direction, at: [key] }));
  if (cursor?.direction === 'prev') {
    const oldest = rows[0];
    return {
      data: rows.toReversed(),
      next: link('next', oldest === undefined ? cursor.at[0]! : keyOf(oldest)),
      prev: link('prev', readTo),
    };
  }
  const newest = rows[0];
  const prev = cursor === null || newest === undefined ? null : link('prev', keyOf(newest));
  return { data: rows, next: link('next', readTo), prev };
}
