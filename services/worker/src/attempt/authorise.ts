import type { OutboundRequest, SendResult, SendTiming } from '@posthorn/egress';
import type { Clock } from '@posthorn/runtime';
import type { Built } from './build-request.ts';
import { refusesSender } from './classify.ts';
import { BEARER } from './read-token.ts';
import { type Needles, needlesOf, scrubResponse } from './scrub-response.ts';
import type { Send, SendRequest, Sent } from './send.ts';
import type { TokenGrant } from './token-grant.ts';
import type { Token, Tokens } from './tokens.ts';

type Request = Extract<Built, { kind: 'request' }>;

/**
 * Sends with a token where the endpoint wants one. A receiver that does not take it gets the request once more with a new
 * one, within the same deadline: it is the same attempt, of which it has seen nothing that it accepted.
 */
export function createAuthorisedSend(
  send: SendRequest,
  tokens: Pick<Tokens, 'get' | 'renew' | 'taken'>,
  clock: Pick<Clock, 'monotonicMs'>,
): Send {
  async function sendWithToken({ request, secrets }: Request, grant: TokenGrant): Promise<Sent> {
    const startedMs = clock.monotonicMs();
    const elapsedMs = (): number => clock.monotonicMs() - startedMs;
    const leftMs = (): number => request.deadlineMs - elapsedMs();
    const using = async ({ authorization }: Token): Promise<SendResult> => {
      const headers = [...(request.headers as readonly string[]), 'authorization', authorization];
      const deadlineMs = Math.max(1, leftMs());
      const sent = await send({ ...request, headers, deadlineMs });
      const needles = [...needlesOf([authorization.slice(BEARER.length)]), ...secrets];
      return overall(scrubResponse(sent, needles), elapsedMs());
    };
    const answer = await tokens.get(grant, request.deadlineMs);
    if (!answer.ok) return { kind: 'unauthorised', detail: answer.detail, timing: noPhases(elapsedMs()) };
    const first = await using(answer.token);
    if (first.kind !== 'response') return first;
    if (!refusesSender(first.status)) {
      tokens.taken(grant, answer.token);
      return first;
    }
    const another = leftMs() > 0 ? await tokens.renew(grant, answer.token, leftMs()) : null;
    if (another === null || leftMs() <= 0) return overall(first, elapsedMs());
    const second = await using(another);
    if (second.kind === 'response' && !refusesSender(second.status)) tokens.taken(grant, another);
    return second;
  }

  const sendAndScrub = async (request: OutboundRequest, secrets: Needles): Promise<Sent> =>
    scrubResponse(await send(request), secrets);

  return (built) => {
    if (built.kind === 'invalid') return Promise.resolve(built);
    if (built.grant) return sendWithToken(built, built.grant);
    const { request, secrets } = built;
    return secrets.length === 0 ? send(request) : sendAndScrub(request, secrets);
  };
}

/** The phases are those of the last request; what the whole took has the waiting for tokens in it. */
const overall = (sent: SendResult, totalMs: number): SendResult => ({
  ...sent,
  timing: { ...sent.timing, totalMs },
});

const noPhases = (totalMs: number): SendTiming => ({
  dnsMs: null,
  connectMs: null,
  tlsMs: null,
  firstByteMs: null,
  totalMs,
  reusedConnection: false,
});
