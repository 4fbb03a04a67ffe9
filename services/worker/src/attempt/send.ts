import type { GuardedAgent, SendResult } from '@posthorn/egress';
import type { Logger } from '@posthorn/runtime';
import type { Built } from './build-request.ts';

/** What became of a built request; one that could not be built passes through. */
export type Sent = SendResult | Extract<Built, { kind: 'invalid' }>;
export type Send = (built: Built) => Promise<Sent>;

/** Sends through the guarded agent: every address checked, one deadline, no redirects, a capped response. */
export function createSend(agent: Pick<GuardedAgent, 'send'>, log: Logger): Send {
  return async (built) => {
    if (built.kind === 'invalid') return built;
    const sent = await agent.send(built.request);
    if (sent.kind === 'failure' && sent.failure === 'blocked') {
      log.warn({ origin: built.request.target.origin, reason: sent.operatorDetail }, 'address blocked');
    }
    return sent;
  };
}
