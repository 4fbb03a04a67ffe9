import { hashUrl } from '@posthorn/contracts';
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
  processActor,
  type Sql,
  takeChange,
} from '@posthorn/db';
import { announceDisabled } from './announce.ts';
import type { GoneEndpoint } from './gather-signals.ts';

/** Who acts, in the audit log. */
const ACTOR = processActor('recorder');

export type DisableReason = 'gone' | 'auto_disabled';

/** What a batch asks to be changed in the configuration. */
export interface AskedChanges {
  readonly gone: readonly GoneEndpoint[];
  readonly failing: readonly FailingEndpoint[];
  readonly drained: readonly DrainedLane[];
}

export interface DisabledEndpoint {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly reason: DisableReason;
}

export interface MadeChanges {
  readonly disabled: readonly DisabledEndpoint[];
  readonly closed: readonly DrainedLane[];
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
  const disabled: DisabledEndpoint[] = [];
  const closed: DrainedLane[] = [];
  for (const { tenantId, endpointId, urlHash } of asked.gone) {
    const endpoint = { tenantId, endpointId, reason: 'gone' } as const;
    if (await disable(sql, endpoint, nowMs, urlHash)) disabled.push(endpoint);
  }
  for (const { tenantId, endpointId } of asked.failing) {
    const endpoint = { tenantId, endpointId, reason: 'auto_disabled' } as const;
    if (await disable(sql, endpoint, nowMs)) disabled.push(endpoint);
  }
  for (const lane of asked.drained) if (await close(sql, lane)) closed.push(lane);
  return { disabled, closed };
}

/** With a `urlHash` only while that is the endpoint's URL: the receiver that is gone may have been replaced. */
async function disable(
  sql: PoolSql,
  { tenantId, endpointId, reason }: DisabledEndpoint,
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
