import type { Labels } from '@posthorn/contracts';
import type { KeyScope } from '@posthorn/db';

/**
 * What a key may do: `read` looks, `manage` also changes and replays, `ingest` sends events and nothing else, `admin`
 * has all of it and the installation's own keys.
 */
export type Scope = KeyScope;

/** An operator acts for any tenant, a tenant's key for that tenant, a portal token for a customer's part of one. */
export type CallerKind = 'operator' | 'tenant' | 'portal';

export interface Caller {
  readonly keyId: string;
  readonly kind: CallerKind;
  /** Null for an operator. */
  readonly tenantId: string | null;
  /** With all that they include. */
  readonly scopes: ReadonlySet<Scope>;
  /** Of a portal token that is narrowed: it sees the endpoints that carry all of them, and what belongs to those. */
  readonly labels: Labels | null;
  /** Of a portal token: the person it was made for. */
  readonly name: string | null;
  /** Null: it does not end by itself. */
  readonly expiresAtMs: number | null;
}

export const INCLUDED: Readonly<Record<Scope, readonly Scope[]>> = {
  ingest: ['ingest'],
  read: ['read'],
  manage: ['manage', 'read'],
  admin: ['admin', 'manage', 'read', 'ingest'],
};

export const withIncluded = (scopes: readonly Scope[]): ReadonlySet<Scope> =>
  new Set(scopes.flatMap((scope) => INCLUDED[scope]));

export const mayActFor = (caller: Caller, tenantId: string): boolean =>
  caller.kind === 'operator' || caller.tenantId === tenantId;

/** Whether a caller sees an endpoint with these labels; one it does not see is as absent as another tenant's. */
export function visibleTo({ labels }: Pick<Caller, 'labels'>, endpointLabels: Labels): boolean {
  if (labels === null) return true;
  return Object.entries(labels).every(([key, value]) => endpointLabels[key] === value);
}
