import { mintKey, normaliseTime } from '@posthorn/contracts';
import type { ApiKeyEntry, ApiKeyFilter } from '@posthorn/db';
import Type from 'typebox';
import { actorOf } from '../../access/actor.ts';
import { authoriseCustomer } from '../../access/authorise.ts';
import { type Caller, mayActFor } from '../../access/caller.ts';
import { tenantOfList } from '../../access/tenant-of.ts';
import type { App, AppParts } from '../../http/app.ts';
import { operation } from '../../http/operation.ts';
import {
  invalidRequest,
  isProblem,
  notFound,
  type Problem,
  problem,
  sendProblem,
} from '../../http/problem.ts';
import { readPage } from '../../http/read-page.ts';
import { NoBody } from '../../http/validation.ts';
import { refuseGrant, refuseOperatorKeys } from './judge-grant.ts';
import { CreatedKey, Key, KeyChanges, KeyPage, KeyParams, KeyQuery, NewKey, viewKey } from './schema.ts';
import { MAX_LIVE_KEYS, type RefusedKeyChange } from './store.ts';

export function keyRoutes(app: App, parts: AppParts): void {
  createKey(app, parts);
  listKeys(app, parts);
  getKey(app, parts);
  changeKey(app, parts);
  revokeKey(app, parts);
}

function createKey(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'createKey',
    tag: 'Keys',
    summary: 'Create a key',
    description: `A key is a tenant's, or an operator's where no tenant is named with an operator key. It can be given no scope that the key which makes it is without, and no longer life. At most ${MAX_LIVE_KEYS} of a tenant are good at a time.`,
    access: { scope: 'manage' },
    body: NewKey,
    answers: { 201: CreatedKey },
    problems: ['tenant_not_found', 'tenant_reserved', 'too_many_keys'],
  });
  app.post('/keys', declared, async (request, reply) => {
    const { body, caller } = request;
    const tenantId = body.tenant_id ?? caller.tenantId;
    // Its system webhooks get everybody's events: it is for operators.
    const owner = tenantId === null ? null : await authoriseCustomer(parts.tenants, caller, tenantId);
    if (owner !== null && isProblem(owner)) return sendProblem(reply, owner);
    const expiresAt = toDate(body.expires_at);
    const refused =
      (tenantId === null ? refuseOperatorKeys(caller) : null) ??
      faultsOf(body, tenantId, parts.clock.nowMs()) ??
      refuseGrant(caller, { scopes: body.scopes, expiresAtMs: expiresAt?.getTime() ?? null });
    if (refused) return sendProblem(reply, refused);
    const kind = tenantId === null ? 'operator' : 'tenant';
    const { keyId, key, keyHash } = mintKey(kind);
    const { name = '', scopes } = body;
    const wish = { keyId, keyHash, kind, tenantId, name, scopes, expiresAt } as const;
    const made = await parts.store.keys.create(wish, actorOf(request));
    if (made === null) return sendProblem(reply, TOO_MANY);
    parts.log.info({ tenant_id: tenantId, made_key_id: keyId, key_id: caller.keyId }, 'key created');
    return reply.code(201).send({ ...viewKey(made, parts.clock.nowMs()), key });
  });
}

function toDate(time: string | null | undefined): Date | null {
  const normal = normaliseTime(time);
  return normal === null ? null : new Date(normal);
}

/** What a schema cannot say of a key that is asked for. */
function faultsOf(
  { scopes = [], expires_at }: { scopes?: readonly string[]; expires_at?: string | null },
  tenantId: string | null,
  nowMs: number,
): Problem | null {
  const faults = [];
  if (tenantId !== null && scopes.includes('admin'))
    faults.push({ pointer: '/scopes', detail: 'admin is for operator keys alone' });
  if ((toDate(expires_at)?.getTime() ?? Number.POSITIVE_INFINITY) <= nowMs)
    faults.push({ pointer: '/expires_at', detail: 'is past: revoke a key that is to end now' });
  return faults.length > 0 ? invalidRequest(faults) : null;
}

const TOO_MANY = problem('too_many_keys', `${MAX_LIVE_KEYS} are good: revoke one of them`, {
  members: { limit: MAX_LIVE_KEYS },
});

function listKeys(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'listKeys',
    tag: 'Keys',
    summary: 'List keys',
    description:
      'The newest first, with those that were revoked or have expired. An operator without the scope `admin` sees the keys of tenants alone.',
    access: { scope: 'manage' },
    querystring: KeyQuery,
    answers: { 200: KeyPage },
    problems: ['tenant_not_found'],
  });
  app.get('/keys', declared, async (request, reply) => {
    const { query, caller } = request;
    const owner = tenantOfList(caller, query.tenant_id);
    if (isProblem(owner)) return sendProblem(reply, owner);
    const filter = { ...owner, kind: kindSeenBy(caller) };
    const list = {
      path: '/keys',
      query,
      ...owner,
      keyOf: (row: ApiKeyEntry) => [row.createdMicros, row.keyId],
      isKey: ([createdMicros = '']: readonly string[]) => MICROS.test(createdMicros),
    };
    const view = (row: ApiKeyEntry) => viewKey(row, parts.clock.nowMs());
    const page = await readPage(list, view, ({ at, backwards, limit }) =>
      parts.store.keys.list(filter, {
        limit,
        direction: backwards ? 'prev' : 'next',
        at: at && { createdMicros: at[0]!, keyId: at[1] ?? '' },
      }),
    );
    return isProblem(page) ? sendProblem(reply, page) : reply.send(page);
  });
}

const MICROS = /^\d{1,16}$/;

/** Null: of both kinds. */
const kindSeenBy = (caller: Caller): ApiKeyFilter['kind'] => (refuseOperatorKeys(caller) ? 'tenant' : null);

function getKey(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getKey',
    tag: 'Keys',
    summary: 'Get a key',
    description: 'What it may do, until when, and whether it is good; never the key itself.',
    access: { scope: 'manage' },
    params: KeyParams,
    answers: { 200: Key },
    problems: ['key_not_found'],
  });
  app.get('/keys/:key_id', declared, async (request, reply) => {
    const found = await findKey(parts, request.caller, request.params.key_id);
    return isProblem(found) ? sendProblem(reply, found) : reply.send(viewKey(found, parts.clock.nowMs()));
  });
}

function changeKey(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'changeKey',
    tag: 'Keys',
    summary: 'Rename a key, or give it an end',
    description:
      'Scopes are not changed: make another key. A key is changed only with all scopes that it has itself. `expires_at: null` takes the end away.',
    access: { scope: 'manage' },
    params: KeyParams,
    body: KeyChanges,
    answers: { 200: Key },
    problems: ['key_not_found', 'last_admin_key'],
  });
  app.patch('/keys/:key_id', declared, async (request, reply) => {
    const { body, caller } = request;
    const found = await findKey(parts, caller, request.params.key_id);
    if (isProblem(found)) return sendProblem(reply, found);
    if (found.revokedAt) return sendProblem(reply, unknownKey(found.keyId));
    const expiresAt = body.expires_at === undefined ? undefined : toDate(body.expires_at);
    const end = expiresAt === undefined ? found.expiresAt : expiresAt;
    // To rename a key that outlives the one that asks promotes nobody.
    const grant = { scopes: found.scopes, expiresAtMs: end?.getTime() ?? null };
    const refused =
      faultsOf(body, found.tenantId, parts.clock.nowMs()) ??
      refuseGrant(expiresAt === undefined ? { ...caller, expiresAtMs: null } : caller, grant);
    if (refused) return sendProblem(reply, refused);
    const changes = { name: body.name, expiresAt };
    const changed = await parts.store.keys.change(found, changes, actorOf(request));
    if (typeof changed === 'string') return sendProblem(reply, refusalOf(changed, found.keyId));
    parts.log.info({ changed_key_id: found.keyId, key_id: caller.keyId }, 'key changed');
    return reply.send(viewKey(changed, parts.clock.nowMs()));
  });
}

function revokeKey(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'revokeKey',
    tag: 'Keys',
    summary: 'Revoke a key',
    description:
      'It stops within 5 s on every replica, and is not good again. The last admin key without an end cannot be revoked.',
    access: { scope: 'manage' },
    params: KeyParams,
    body: NoBody,
    answers: { 204: Type.Null({ description: 'It is revoked.' }) },
    problems: ['key_not_found', 'last_admin_key'],
  });
  app.delete('/keys/:key_id', declared, async (request, reply) => {
    const { caller } = request;
    const found = await findKey(parts, caller, request.params.key_id);
    if (isProblem(found)) return sendProblem(reply, found);
    const revoked = await parts.store.keys.revoke(found, actorOf(request));
    if (revoked !== 'revoked') return sendProblem(reply, refusalOf(revoked, found.keyId));
    parts.log.info({ revoked_key_id: found.keyId, key_id: caller.keyId }, 'key revoked');
    return reply.code(204).send(null);
  });
}

/** One that the caller may see. */
async function findKey({ store }: AppParts, caller: Caller, keyId: string): Promise<ApiKeyEntry | Problem> {
  const found = KEY_ID.test(keyId) ? await store.keys.find(keyId) : null;
  if (found === null) return unknownKey(keyId);
  const isVisible =
    found.tenantId === null ? refuseOperatorKeys(caller) === null : mayActFor(caller, found.tenantId);
  return isVisible ? found : unknownKey(keyId);
}

const KEY_ID = /^key_[0-9a-z_-]{1,64}$/;

const unknownKey = (keyId: string): Problem => notFound('key_not_found', 'key', keyId, ', or it is revoked');

const refusalOf = (refusal: RefusedKeyChange, keyId: string): Problem =>
  refusal === 'gone'
    ? unknownKey(keyId)
    : problem('last_admin_key', 'no admin key without an end would be left: make another one first');
