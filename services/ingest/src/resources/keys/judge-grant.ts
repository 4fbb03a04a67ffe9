import type { Caller, Scope } from '../../access/caller.ts';
import { type Problem, problem } from '../../http/problem.ts';

/** What a key or token is to be given: to what it may do, and until when. */
export interface Grant {
  readonly scopes: readonly Scope[];
  /** Null: without an end. */
  readonly expiresAtMs: number | null;
}

/**
 * Nobody gives what he has not: neither a scope that his own key is without, nor a longer life than it has. So no key
 * promotes itself by way of another one.
 */
export function refuseGrant(caller: Caller, { scopes, expiresAtMs }: Grant): Problem | null {
  const missing = scopes.filter((scope) => !caller.scopes.has(scope));
  if (missing.length > 0)
    return problem('forbidden', `this key is without the scope ${missing.join(', ')}: it cannot give it`);
  const end = caller.expiresAtMs;
  if (end !== null && (expiresAtMs === null || expiresAtMs > end)) {
    const until = new Date(end).toISOString();
    return problem('forbidden', `this key ends at ${until}: what it makes cannot outlive it`);
  }
  return null;
}

/** Keys of operators are the installation's own. */
export const refuseOperatorKeys = (caller: Caller): Problem | null =>
  caller.kind === 'operator' && caller.scopes.has('admin')
    ? null
    : problem('forbidden', 'keys of operators need an operator key with the scope admin');
