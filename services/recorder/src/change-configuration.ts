import { createHash } from 'node:crypto';
import {
  changeEndpointState,
  closeLane,
  type DrainedLane,
  type FailingEndpoint,
  findEndpoint,
  insertAuditEntry,
  insertOperationalEvents,
  inTransaction,
  type PoolSql,
  type Sql,
  takeChange,
} from '@posthorn/db';
import { announceDisabled } from './announce.ts';
import type { GoneEndpoint } from './gather-signals.ts';

/** Who acts, in the audit log. */
const ACTOR = 'recorder';
const URL_HASH_CHARS = 16;

export type DisableReason = 'gone' | 'auto_disabled';

/** What a batch asks to be changed in the configuration. */
export interface AskedChanges {
  readonly gone: readonly GoneEndpoint[];
  readonly failing: readonly FailingEndpoint[];
  readonly drained: readonly DrainedLane[];
}

export interface MadeChanges {
  readonly gone: number;
  readonly autoDisabled: number;
  readonly lanesClosed: number;
}

/**
 * Makes them one by one, each in a transaction of its own with its audit row, so that none holds the sequence of changes
 * for longer than it takes. To be done before the batch is completed: what a crash leaves undone is asked for again.
 */
export async function changeConfiguration(
  sql: PoolSql,
  asked: AskedChanges,
  nowMs: number,
): Promise<MadeChanges> {
  let [gone, autoDisabled, lanesClosed] = [0, 0, 0];
  for (const { tenantId, endpointId, urlHash } of asked.gone)
    if (await disable(sql, tenantId, endpointId, 'gone', nowMs, urlHash)) gone++;
  for (const { tenantId, endpointId } of asked.failing)
    if (await disable(sql, tenantId, endpointId, 'auto_disabled', nowMs)) autoDisabled++;
  for (const lane of asked.drained) if (await close(sql, lane)) lanesClosed++;
  return { gone, autoDisabled, lanesClosed };
}

/** With a `urlHash` only while that is the endpoint's URL: the receiver that is gone may have been replaced. */
async function disable(
  sql: PoolSql,
  tenantId: string,
  endpointId: string,
  reason: DisableReason,
  nowMs: number,
  urlHash?: string,
): Promise<boolean> {
  const isMeant = async (from: Sql): Promise<boolean> => {
    const found = await findEndpoint(from, tenantId, endpointId);
    if (found === null || (found.state !== 'active' && found.state !== 'paused')) return false;
    return urlHash === undefined || hashUrl(found.url) === urlHash;
  };
  // Nearly all that was in flight says the same of an endpoint that is disabled by now.
  if (!(await isMeant(sql))) return false;
  return inTransaction(sql, async (transaction) => {
    // From here on nobody else changes it.
    const change = await takeChange(transaction);
    if (!(await isMeant(transaction))) return false;
    await changeEndpointState(transaction, tenantId, endpointId, { state: 'disabled', reason });
    await insertAuditEntry(transaction, {
      actor: ACTOR,
      action: 'endpoint.disabled',
      tenantId,
      subject: endpointId,
      detail: { reason },
    });
    const event = announceDisabled(nowMs, tenantId, endpointId, reason, change);
    await insertOperationalEvents(transaction, [event]);
    return true;
  });
}

async function close(sql: PoolSql, drained: DrainedLane): Promise<boolean> {
  return inTransaction(sql, async (transaction) => {
    if (!(await closeLane(transaction, drained))) return false;
    const { tenantId, lane } = drained;
    const detail = { lane };
    await insertAuditEntry(transaction, {
      actor: ACTOR,
      action: 'lane.closed',
      tenantId,
      subject: tenantId,
      detail,
    });
    return true;
  });
}

const hashUrl = (url: string): string =>
  createHash('sha256').update(url).digest('hex').slice(0, URL_HASH_CHARS);
