import { takeChange } from './changes.ts';
import { inTransaction, type Sql } from './database.ts';

export interface Verification {
  /** The one that agreed. */
  readonly url: string;
  /** What its receiver grants: a limit of the endpoint's own stays where it is lower. Null: no limit. */
  readonly maxPerSec: number | null;
}

/** Notes that a URL agreed to get requests. Null when the endpoint is not there or has another URL by now. */
export async function recordVerification(
  sql: Sql,
  tenantId: string,
  endpointId: string,
  { url, maxPerSec }: Verification,
): Promise<{ change: number } | null> {
  return inTransaction(sql, async (transaction) => {
    const change = await takeChange(transaction);
    const noted = await transaction`
      update endpoints set verified_url = url, verified_at = now(), updated_at = now(),
                           max_per_sec = least(max_per_sec, ${maxPerSec}::int)
      where endpoint_id = ${endpointId} and tenant_id = ${tenantId} and url = ${url} and state <> 'deleted'
      returning 1`;
    return noted.length === 0 ? null : { change };
  });
}
