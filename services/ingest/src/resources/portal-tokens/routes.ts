import { randomBytes } from 'node:crypto';
import type { Labels } from '@posthorn/contracts';
import { actorOf } from '../../access/actor.ts';
import { authoriseCustomer, unknownTenant } from '../../access/authorise.ts';
import type { Caller } from '../../access/caller.ts';
import {
  DEFAULT_TTL_S,
  MAX_GIVEN_BYTES,
  type PortalScope,
  type PortalTokens,
} from '../../access/portal-token.ts';
import { tenantOfNew } from '../../access/tenant-of.ts';
import type { App, AppParts } from '../../http/app.ts';
import { operation } from '../../http/operation.ts';
import { invalidRequest, isProblem, type Problem, sendProblem } from '../../http/problem.ts';
import { refuseGrant } from '../keys/judge-grant.ts';
import { NewPortalToken, PortalRevocation, PortalRevoked, PortalToken } from './schema.ts';

export interface PortalTokenParts {
  readonly portalTokens: PortalTokens;
}

const TOKEN_ID_BYTES = 8;

export function portalTokenRoutes(app: App, parts: AppParts): void {
  issueToken(app, parts);
  revokeTokens(app, parts);
}

function issueToken(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'createPortalToken',
    tag: 'Keys',
    summary: 'Issue a portal token',
    description:
      'A signed token for a customer’s browser: for one tenant, with the scopes `read` or `read` and `manage`, narrowed by labels where they are given. It is good on every replica at once, is not stored, and ends by itself; all of a tenant are revoked together. It can be given no scope that the key which asks is without, and no longer life.',
    access: { scope: 'manage' },
    body: NewPortalToken,
    answers: { 201: PortalToken },
    problems: ['tenant_not_found', 'tenant_reserved'],
  });
  app.post('/portal-tokens', declared, async (request, reply) => {
    const { body, caller } = request;
    const tenant = await tenantOf(parts, caller, body.tenant_id);
    if (isProblem(tenant)) return sendProblem(reply, tenant);
    const { tenantId } = tenant;
    const givenBytes = Buffer.byteLength(JSON.stringify([body.labels, body.user]));
    if (givenBytes > MAX_GIVEN_BYTES) return sendProblem(reply, TOO_MUCH_GIVEN);
    const scopes: readonly PortalScope[] = body.scopes ?? ['read'];
    const ttlMs = (body.ttl_seconds ?? DEFAULT_TTL_S) * 1_000;
    const refused = refuseGrant(caller, { scopes, expiresAtMs: parts.clock.nowMs() + ttlMs });
    if (refused) return sendProblem(reply, refused);
    const tokenId = `ptk_${randomBytes(TOKEN_ID_BYTES).toString('hex')}`;
    const labels = (body.labels as Labels | undefined) ?? null;
    const granted = { scopes, labels, ttlSeconds: ttlMs / 1_000, user: body.user ?? null };
    const issuedAt = await parts.store.portalTokens.issue(tenantId, tokenId, granted, actorOf(request));
    const expiresAtMs = issuedAt.getTime() + ttlMs;
    const token = await parts.portalTokens.issue({
      tokenId,
      tenantId,
      scopes,
      labels,
      name: body.user ?? null,
      issuedAtMs: issuedAt.getTime(),
      expiresAtMs,
    });
    parts.log.info({ tenant_id: tenantId, token_id: tokenId, key_id: caller.keyId }, 'portal token issued');
    const expires_at = new Date(expiresAtMs).toISOString();
    return reply
      .code(201)
      .send({ token, token_id: tokenId, tenant_id: tenantId, scopes: [...scopes], labels, expires_at });
  });
}

function revokeTokens(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'revokePortalTokens',
    tag: 'Keys',
    summary: 'Revoke all portal tokens of a tenant',
    description:
      'All that were issued until now stop within 5 s on every replica; tokens issued later are good.',
    access: { scope: 'manage' },
    body: PortalRevocation,
    answers: { 200: PortalRevoked },
    problems: ['tenant_not_found', 'tenant_reserved'],
  });
  app.post('/portal-tokens/revoke', declared, async (request, reply) => {
    const { body, caller } = request;
    const tenant = await tenantOf(parts, caller, body.tenant_id);
    if (isProblem(tenant)) return sendProblem(reply, tenant);
    const { tenantId } = tenant;
    const notBefore = await parts.store.portalTokens.revoke(tenantId, actorOf(request));
    if (notBefore === null) return sendProblem(reply, unknownTenant(tenantId));
    parts.log.info({ tenant_id: tenantId, key_id: caller.keyId }, 'portal tokens revoked');
    return reply.send({ tenant_id: tenantId, not_before: notBefore.toISOString() });
  });
}

async function tenantOf(
  parts: AppParts,
  caller: Caller,
  named: string | undefined,
): Promise<{ readonly tenantId: string } | Problem> {
  const owner = tenantOfNew(caller, named);
  if (isProblem(owner)) return owner;
  return authoriseCustomer(parts.tenants, caller, owner.tenantId);
}

const TOO_MUCH_GIVEN = invalidRequest([
  {
    pointer: '/labels',
    detail: `must take, with user, at most ${MAX_GIVEN_BYTES} bytes: it travels with every request`,
  },
]);
