import type { Sql } from './database.ts';
import type { SignatureScheme } from './endpoints.ts';

/** How requests to an endpoint were made from one change of it to the next. */
export interface EndpointRequestRow {
  readonly url: string;
  readonly method: 'POST' | 'PUT';
  /** Of the endpoint's own headers, in lower case. Their values are never read again. */
  readonly headerNames: string[];
  readonly signatures: SignatureScheme[];
  /** Members of the endpoint's `tls`. */
  readonly tlsParts: string[];
}

export interface RequestMoment {
  readonly endpointId: string;
  /** Of the tenant's configuration that the request was made from; null in entries of a release that did not say. */
  readonly revision: number | null;
  readonly startedAt: Date;
}

/** What held when an attempt was made: exactly by its revision, else by its time. Null where that is not known any more. */
export async function findEndpointRequest(
  sql: Sql,
  tenantId: string,
  { endpointId, revision, startedAt }: RequestMoment,
): Promise<EndpointRequestRow | null> {
  const [row] = await sql<EndpointRequestRow[]>`
    select r.url, r.method, r.header_names, r.tls_parts, r.signatures
    from endpoint_requests r join endpoints e using (endpoint_id)
    where r.endpoint_id = ${endpointId} and e.tenant_id = ${tenantId}
      and case when ${revision}::bigint is null then r.changed_at <= ${startedAt}::timestamptz
               else r.valid_from <= ${revision}::bigint end
    order by r.valid_from desc limit 1`;
  return row ?? null;
}

/** Longer than any attempt is kept: the longest retention, and the longest schedule. */
const KEPT_AFTER_REPLACEMENT_DAYS = 100;

/** Removes what was replaced so long ago that no attempt was made with it; gives back how many. */
export async function removeReplacedRequests(sql: Sql): Promise<number> {
  const removed = await sql`
    delete from endpoint_requests r
    where exists (
      select 1 from endpoint_requests n
      where n.endpoint_id = r.endpoint_id and n.valid_from > r.valid_from
        and n.changed_at < now() - ${KEPT_AFTER_REPLACEMENT_DAYS} * interval '1 day'
    )`;
  return removed.count;
}
