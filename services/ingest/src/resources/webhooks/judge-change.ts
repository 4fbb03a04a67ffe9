import type { Labels } from '@posthorn/contracts';
import type { EndpointRow } from '@posthorn/db';
import { type Caller, visibleTo } from '../../access/caller.ts';
import { invalidRequest, type Problem } from '../../http/problem.ts';
import { disabledWebhook } from './answer-change.ts';
import { headerOfAuth, keepsSecret } from './auth-fields.ts';
import { MASKED_VALUE } from './header-rules.ts';
import type { GivenChanges } from './to-changes.ts';
import type { WantedState } from './wanted-states.ts';

/** Who sees a part of a tenant's webhooks makes none outside of it. */
export function labelsProblem(caller: Caller, labels: Labels): Problem | null {
  if (visibleTo(caller, labels)) return null;
  const wanted = JSON.stringify(caller.labels);
  return invalidRequest([{ pointer: '/labels', detail: `must carry the labels of this token: ${wanted}` }]);
}

export type Addressed = Pick<EndpointRow, 'url' | 'sealedHeaders' | 'auth' | 'tls'>;
export type GivenSecrets = Pick<GivenChanges, 'auth' | 'tls'>;

/**
 * Secrets are shown to nobody: they are not sent to another server either than the one that they were given for, where
 * whoever may change the URL could read them, or be taken for their owner.
 */
export function movedProblem(found: Addressed, wanted: Addressed, given: GivenSecrets): Problem | null {
  const { origin } = new URL(found.url);
  if (new URL(wanted.url).origin === origin) return null;
  const kept = Object.entries(wanted.sealedHeaders).filter(
    ([name, value]) => found.sealedHeaders[name] === value,
  );
  const stays = (pointer: string, what: string): Problem => {
    const detail = `must be given anew with a URL of another server: ${what} for ${origin}`;
    return invalidRequest([{ pointer, detail }]);
  };
  if (kept.length > 0)
    return stays('/headers', `the stored values of ${kept.map(([name]) => name).join(', ')} are`);
  const keepsAuth = given.auth ? keepsSecret(given.auth) : wanted.auth !== null;
  if (keepsAuth) return stays('/auth', 'the stored secret is');
  const key = given.tls ? given.tls.client_key : wanted.tls?.client_key;
  return key === MASKED_VALUE ? stays('/tls', 'the stored private key is') : null;
}

/** What the parts of a webhook say of each other. */
export function authProblem({ url, auth, tls, sealedHeaders }: Addressed): Problem | null {
  const refuse = (pointer: string, detail: string) => invalidRequest([{ pointer, detail }]);
  const header = auth && headerOfAuth(auth);
  if (header !== null && Object.hasOwn(sealedHeaders, header))
    return refuse('/auth', `sends the header "${header}", which is among \`headers\` too`);
  return tls !== null && !url.toLowerCase().startsWith('https:')
    ? refuse('/tls', 'is for an https URL')
    : null;
}

/** `found` is null for one that is being made. */
export function stateProblem(found: EndpointRow | null, { enabled, paused }: WantedState): Problem | null {
  if (paused !== true) return null;
  if (enabled === false)
    return invalidRequest([{ pointer: '/paused', detail: 'only an enabled one is paused' }]);
  return found?.state === 'disabled' && enabled !== true ? disabledWebhook(found) : null;
}
