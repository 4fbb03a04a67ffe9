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

type Addressed = Pick<EndpointRow, 'url' | 'sealedHeaders'>;

/**
 * Values of headers are shown to nobody: they are not sent to another server either than the one that they were given
 * for, where whoever may change the URL could read them.
 */
export function headersProblem(found: Addressed, wanted: Addressed): Problem | null {
  const { origin } = new URL(found.url);
  if (new URL(wanted.url).origin === origin) return null;
  const kept = Object.entries(wanted.sealedHeaders).filter(
    ([name, value]) => found.sealedHeaders[name] === value,
  );
  if (kept.length === 0) return null;
  const names = kept.map(([name]) => name).join(', ');
  const detail = `must be given anew with a URL of another server: the stored values of ${names} are for ${origin}`;
  return invalidRequest([{ pointer: '/headers', detail }]);
}

/** `found` is null for one that is being made. */
export function stateProblem(found: EndpointRow | null, { enabled, paused }: WantedState): Problem | null {
  if (paused !== true) return null;
  if (enabled === false)
    return invalidRequest([{ pointer: '/paused', detail: 'only an enabled one is paused' }]);
  return found?.state === 'disabled' && enabled !== true ? disabledWebhook(found) : null;
}
