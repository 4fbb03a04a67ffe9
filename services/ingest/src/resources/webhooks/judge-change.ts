import type { Labels } from '@posthorn/contracts';
import type { EndpointRow } from '@posthorn/db';
import { type Caller, visibleTo } from '../../access/caller.ts';
import { invalidRequest, type Problem } from '../../http/problem.ts';
import { disabledWebhook } from './answer-change.ts';
import type { WantedState } from './wanted-states.ts';

/** Who sees a part of a tenant's webhooks makes none outside of it. */
export function labelsProblem(caller: Caller, labels: Labels): Problem | null {
  if (visibleTo(caller, labels)) return null;
  const wanted = JSON.stringify(caller.labels);
  return invalidRequest([{ pointer: '/labels', detail: `must carry the labels of this token: ${wanted}` }]);
}

/** `found` is null for one that is being made. */
export function stateProblem(found: EndpointRow | null, { enabled, paused }: WantedState): Problem | null {
  if (paused !== true) return null;
  if (enabled === false)
    return invalidRequest([{ pointer: '/paused', detail: 'only an enabled one is paused' }]);
  return found?.state === 'disabled' && enabled !== true ? disabledWebhook(found) : null;
}
