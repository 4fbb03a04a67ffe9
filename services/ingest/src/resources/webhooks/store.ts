import {
  type Actor,
  type AuditEntry,
  type AuditView,
  type CreateEndpointResult,
  changeEndpointState,
  createEndpoint,
  dropPreviousSecrets,
  type EndpointChanges,
  type EndpointRow,
  type EndpointStateChange,
  type EndpointStats,
  findEndpoint,
  insertAuditEntry,
  inTransaction,
  type NewEndpoint,
  type PauseMode,
  recordVerification,
  rollupStats,
  rotateSecret,
  type SecretRotation,
  type Sql,
  takeChange,
  updateEndpoint,
  type Verification,
} from '@posthorn/db';
import { changeOf, redact } from '../../access/redact.ts';
import { changedFields } from './changed-fields.ts';
import type { Expected } from './entity-tag.ts';
import { isUnverified, UNVERIFIED, type VerificationRule } from './verification/judge-state.ts';
import { type WantedState, wantedStates } from './wanted-states.ts';

export interface EndpointChange {
  readonly kind: 'changed';
  /** Null when it was so already. */
  readonly change: number | null;
  /** As it is now; null once it is deleted. */
  readonly row: EndpointRow | null;
}

/** It is not what the change was meant for. */
export interface StaleEndpoint {
  readonly kind: 'stale';
  readonly row: EndpointRow;
}

/** It would get events, and its URL has not agreed to get any. */
export interface UnverifiedEndpoint {
  readonly kind: 'unverified';
  readonly row: EndpointRow;
}

export type CreatedEndpoint =
  | { readonly kind: 'created'; readonly change: number; readonly row: EndpointRow }
  | Exclude<CreateEndpointResult, { kind: 'created' }>;

/** Each change of an endpoint is one transaction with its audit row: `actor` is who asked. */
export interface WebhookStore {
  createEndpoint(
    tenantId: string,
    endpoint: NewEndpoint,
    wanted: WantedState & VerificationRule,
    actor: Actor,
  ): Promise<CreatedEndpoint>;
  /** Null when it was deleted meanwhile; so for all that follow. */
  changeEndpoint(
    found: EndpointRow,
    to: WantedState & VerificationRule & { readonly fields: EndpointChanges; readonly expected: Expected },
    actor: Actor,
  ): Promise<EndpointChange | StaleEndpoint | UnverifiedEndpoint | null>;
  deleteEndpoint(
    found: EndpointRow,
    expected: Expected,
    actor: Actor,
  ): Promise<EndpointChange | StaleEndpoint | null>;
  pauseEndpoint(found: EndpointRow, mode: PauseMode, actor: Actor): Promise<EndpointChange | null>;
  resumeEndpoint(
    found: EndpointRow,
    rule: VerificationRule,
    actor: Actor,
  ): Promise<EndpointChange | StaleEndpoint | UnverifiedEndpoint | null>;
  /** Notes that its URL agreed, and lets events through if nothing else kept them out; stale with another URL. */
  verifyEndpoint(
    found: EndpointRow,
    verification: Verification,
    actor: Actor,
  ): Promise<EndpointChange | StaleEndpoint | null>;
  rotateSecret(
    found: EndpointRow,
    rotation: SecretRotation,
    actor: Actor,
  ): Promise<EndpointChange | { readonly kind: 'too_many'; readonly limit: number } | null>;
  endSecretGrace(found: EndpointRow, actor: Actor): Promise<EndpointChange | null>;
  /** Over windows that end now, one after the other. */
  endpointStats(found: EndpointRow, windowsMs: readonly number[], nowMs: number): Promise<EndpointStats[]>;
}

export function openWebhookStore(pool: Sql): WebhookStore {
  return {
    createEndpoint: (tenantId, endpoint, wanted, actor) =>
      inTransaction(pool, async (sql) => {
        const result = await createEndpoint(sql, tenantId, endpoint);
        if (result.kind !== 'created') return result;
        const { endpointId } = endpoint;
        await audit(sql, { tenantId, endpointId }, actor, 'created', { after: redact(toldOf(endpoint)) });
        const row = (await findEndpoint(sql, tenantId, endpointId))!;
        const set = await setStates(sql, row, wanted, actor);
        const made = await holdBack(sql, set?.row ?? row, wanted, actor);
        return { kind: 'created', change: result.change, row: made };
      }),
    changeEndpoint: (found, { fields, expected, ...wanted }, actor) =>
      meant(pool, found, expected, async (sql, now) => {
        const opens = wantedStates(now.state, wanted).some(({ to }) => to.state === 'active');
        if (opens && isUnverified({ ...now, ...fields }, wanted)) return { kind: 'unverified', row: now };
        const updated = await setFields(sql, now, fields, actor);
        if (!updated?.row) return null;
        const set = (await setStates(sql, updated.row, wanted, actor)) ?? updated;
        const row = set.row ?? updated.row;
        return row.url === now.url ? set : { ...set, row: await holdBack(sql, row, wanted, actor) };
      }),
    deleteEndpoint: (found, expected, actor) =>
      meant(pool, found, expected, async (sql, now) => {
        const deleted = await setState(sql, now, { state: 'deleted', reason: 'person' }, actor, 'deleted');
        return deleted && { ...deleted, row: null };
      }),
    pauseEndpoint: (found, pauseMode, actor) =>
      inTransaction(pool, (sql) =>
        setState(sql, found, { state: 'paused', reason: 'person', pauseMode }, actor, 'paused'),
      ),
    resumeEndpoint: (found, rule, actor) =>
      meant(pool, found, null, async (sql, now) =>
        now.state === 'paused' && isUnverified(now, rule)
          ? { kind: 'unverified', row: now }
          : setState(sql, now, ACTIVE, actor, 'resumed'),
      ),
    verifyEndpoint: (found, verification, actor) =>
      meant(pool, found, null, async (sql, now) => {
        const noted = await recordVerification(sql, now.tenantId, now.endpointId, verification);
        if (noted === null) return { kind: 'stale', row: now };
        await audit(sql, now, actor, 'verified', { detail: { ...verification } });
        if (now.state === 'paused' && now.stateReason === UNVERIFIED.reason)
          return setState(sql, now, ACTIVE, actor, 'resumed');
        return { kind: 'changed', ...noted, row: await findEndpoint(sql, now.tenantId, now.endpointId) };
      }),
    rotateSecret: (found, rotation, actor) =>
      inTransaction(pool, async (sql) => {
        const rotated = await rotateSecret(sql, found.tenantId, found.endpointId, rotation);
        if (rotated?.kind !== 'rotated') return rotated;
        const detail = { graceEndsAt: rotation.graceEndsAt.toISOString() };
        await audit(sql, found, actor, 'secret_rotated', { detail });
        return { ...rotated, kind: 'changed' };
      }),
    endSecretGrace: (found, actor) =>
      inTransaction(pool, async (sql) => {
        const ended = await dropPreviousSecrets(sql, found.tenantId, found.endpointId);
        if (ended !== null && ended.change !== null) await audit(sql, found, actor, 'secret_grace_ended', {});
        return ended && { kind: 'changed', ...ended };
      }),
    endpointStats: ({ tenantId, endpointId }, windowsMs, nowMs) =>
      Promise.all(windowsMs.map((windowMs) => rollupStats(pool, tenantId, endpointId, { windowMs, nowMs }))),
  };
}

const ACTIVE = { state: 'active', reason: null } as const;

/** Works on the endpoint as it is now, if it is what the change was meant for. */
function meant<T>(
  pool: Sql,
  { tenantId, endpointId }: EndpointRow,
  expected: Expected,
  work: (sql: Sql, now: EndpointRow) => Promise<T>,
): Promise<T | StaleEndpoint | null> {
  return inTransaction(pool, async (sql) => {
    // Taken first: it makes concurrent changes wait, so what is judged here holds until this one commits.
    await takeChange(sql);
    const now = await findEndpoint(sql, tenantId, endpointId);
    if (now === null || now.state === 'deleted') return null;
    if (expected !== null && !expected.has(now.revision)) return { kind: 'stale', row: now };
    return work(sql, now);
  });
}

async function setFields(
  sql: Sql,
  now: EndpointRow,
  fields: EndpointChanges,
  actor: Actor,
): Promise<EndpointChange | null> {
  const changed = changedFields(now, fields);
  if (Object.keys(changed).length === 0) return { kind: 'changed', change: null, row: now };
  const updated = await updateEndpoint(sql, now.tenantId, now.endpointId, changed);
  if (updated !== null) await audit(sql, now, actor, 'updated', changeOf({ ...now }, toldOf(changed)));
  return updated && { kind: 'changed', ...updated };
}

/** Null when it is in the wanted state already. */
async function setStates(
  sql: Sql,
  now: EndpointRow,
  wanted: WantedState,
  actor: Actor,
): Promise<EndpointChange | null> {
  let last: EndpointChange | null = null;
  for (const { verb, to } of wantedStates(now.state, wanted)) {
    last = await setState(sql, now, to, actor, verb);
  }
  return last;
}

/** One that would get events now, though its URL has not agreed, is kept from them. */
async function holdBack(
  sql: Sql,
  row: EndpointRow,
  rule: VerificationRule,
  actor: Actor,
): Promise<EndpointRow> {
  if (row.state !== 'active' || !isUnverified(row, rule)) return row;
  const held = await setState(sql, row, UNVERIFIED, actor, 'paused');
  return held?.row ?? row;
}

async function setState(
  sql: Sql,
  found: EndpointRow,
  to: EndpointStateChange,
  actor: Actor,
  verb: string,
): Promise<EndpointChange | null> {
  const { tenantId, endpointId } = found;
  const changed = await changeEndpointState(sql, tenantId, endpointId, to);
  if (changed !== null) {
    const changes = { state: to.state, stateReason: to.reason, pauseMode: to.pauseMode ?? null };
    await audit(sql, found, actor, verb, changeOf({ ...found }, changes));
  }
  const row = await findEndpoint(sql, tenantId, endpointId);
  if (row === null || (row.state === 'deleted' && to.state !== 'deleted')) return null;
  return { kind: 'changed', change: changed?.change ?? null, row };
}

/** Of a new ed25519 key the audit log has the public half: the other is not there in any form, as of all that is sealed. */
const toldOf = ({ signingKey, ...fields }: EndpointChanges): AuditView =>
  signingKey === undefined ? fields : { ...fields, publicKey: signingKey.publicKey };

const audit = (
  sql: Sql,
  { tenantId, endpointId }: Pick<EndpointRow, 'tenantId' | 'endpointId'>,
  actor: Actor,
  verb: string,
  said: Pick<AuditEntry, 'before' | 'after' | 'detail'>,
): Promise<void> =>
  insertAuditEntry(sql, { actor, action: `endpoint.${verb}`, tenantId, subject: endpointId, ...said });
