import type { GuardedAgent, OutboundRequest, SendResult, SendTiming } from '@posthorn/egress';
import type { Logger } from '@posthorn/runtime';
import type { Built } from './build-request.ts';

/** The token that the request needs could not be had: the receiver has seen nothing of it. */
export interface UnauthorisedSend {
  readonly kind: 'unauthorised';
  readonly detail: string;
  readonly timing: SendTiming;
}

/** What became of a built request; one that could not be built passes through. */
export type Sent = SendResult | UnauthorisedSend | Extract<Built, { kind: 'invalid' }>;
export type Send = (built: Built) => Promise<Sent>;

export type SendRequest = (request: OutboundRequest) => Promise<SendResult>;

/** Sends through the guarded agent: every address checked, one deadline, no redirects, a capped response. */
export function createSendRequest(agent: Pick<GuardedAgent, 'send'>, log: Logger): SendRequest {
  return async (request) => {
    const sent = await agent.send(request);
    if (sent.kind !== 'failure') return sent;
    const told = { origin: request.target.origin, reason: sent.operatorDetail };
    if (sent.failure === 'blocked') log.warn(told, 'address blocked');
    if (sent.atProxy) log.info(told, 'the proxy opened no tunnel');
    return sent;
  };
}
