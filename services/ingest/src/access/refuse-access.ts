import type { Access } from '../http/operation.ts';
import { type Problem, problem } from '../http/problem.ts';
import type { Caller } from './caller.ts';

/** Null when the caller may use the operation; what of which tenant he may see is the handler's question. */
export function refuseAccess(caller: Caller, { callers, scope }: Access): Problem | null {
  if (!callers.includes(caller.kind))
    return problem('forbidden', `this needs a key of: ${callers.join(', ')}`);
  return caller.scopes.has(scope) ? null : problem('forbidden', `this needs the scope ${scope}`);
}
