import type { EndpointRow, EndpointStateChange } from '@posthorn/db';

/** Whether a webhook's URL has to agree before it gets events. */
export interface VerificationRule {
  readonly mustAgree: boolean;
}

/** What a webhook is whose URL has not agreed: it matches no event, and what is queued for it waits. */
export const UNVERIFIED = {
  state: 'paused',
  reason: 'unverified',
  pauseMode: 'drop',
} as const satisfies EndpointStateChange;

type Judged = Pick<EndpointRow, 'url' | 'verifiedUrl' | 'scope'>;

/** The operator's own webhooks are never asked. */
export const isUnverified = ({ url, verifiedUrl, scope }: Judged, { mustAgree }: VerificationRule): boolean =>
  mustAgree && scope === 'tenant' && verifiedUrl !== url;
