import { USER_AGENT } from '@posthorn/contracts';
import { type GuardedAgent, type OutboundRequest, parseTarget, type SendResult } from '@posthorn/egress';
import { createPlaces } from '../../../places.ts';
import { echoes, readCloudEventsAnswer } from './read-answer.ts';

/** `challenge`: a signed POST whose answer has to repeat a text. `cloudevents`: OPTIONS, as CloudEvents' webhooks ask. */
export type HandshakeMethod = 'challenge' | 'cloudevents';

/** Who is asked, and what a request to it carries of its own. */
export interface Candidate {
  readonly endpointId: string;
  readonly tenantId: string;
  readonly url: string;
  /** What every request to it carries: its own headers and credentials, by name and value. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly tls: OutboundRequest['tls'];
  /** Of these bytes, now: names and values. */
  sign(body: Buffer): readonly string[];
}

export interface Declined {
  readonly kind: 'declined';
  /** What the tenant may read of it. */
  readonly detail: string;
}

export type HandshakeResult =
  /** `maxPerSec`: deliveries a second that the receiver grants; null where it names no limit. */
  | { readonly kind: 'agreed'; readonly maxPerSec: number | null }
  | Declined
  /** Too many are under way, in all or of this tenant. */
  | { readonly kind: 'busy' };

export interface Handshakes {
  /** Never rejects for anything that the receiver does. */
  perform(candidate: Candidate, method: HandshakeMethod): Promise<HandshakeResult>;
  readonly underWay: number;
}

export interface HandshakeOptions {
  readonly agent: Pick<GuardedAgent, 'send'>;
  /** Who asks, as CloudEvents has it: a DNS name. */
  readonly origin: string;
  /** A text that nobody can guess. */
  readonly makeChallenge: () => string;
  readonly maxUnderWay?: number;
  readonly maxUnderWayOfTenant?: number;
}

export const MAX_HANDSHAKES = 32;
export const MAX_HANDSHAKES_OF_TENANT = 4;
export const HANDSHAKE_DEADLINE_MS = 10_000;
const MAX_ANSWER_BYTES = 4_096;
export const VERIFICATION_TYPE = 'webhook.verification';

/**
 * Asks a receiver whether it wants this tenant's webhooks, before anything of the tenant's goes there: whoever can only
 * type an address cannot answer for it. The requests go through the same guard as deliveries.
 */
export function createHandshakes(options: HandshakeOptions): Handshakes {
  const { maxUnderWay = MAX_HANDSHAKES, maxUnderWayOfTenant = MAX_HANDSHAKES_OF_TENANT } = options;
  const places = createPlaces(maxUnderWay, maxUnderWayOfTenant);
  return {
    async perform(candidate, method) {
      const { tenantId } = candidate;
      if (!places.take(tenantId)) return { kind: 'busy' };
      try {
        return await (method === 'challenge' ? challenge(options, candidate) : ask(options, candidate));
      } finally {
        places.give(tenantId);
      }
    },
    get underWay() {
      return places.taken;
    },
  };
}

async function challenge(
  { agent, makeChallenge }: HandshakeOptions,
  candidate: Candidate,
): Promise<HandshakeResult> {
  const text = makeChallenge();
  const message = { type: VERIFICATION_TYPE, webhook_id: candidate.endpointId, challenge: text };
  const body = Buffer.from(JSON.stringify(message));
  const own = [...candidate.sign(body), 'content-type', 'application/json'];
  const answer = await agent.send(requestTo(candidate, { method: 'POST', own, body }));
  if (answer.kind !== 'response') return notAnswered(answer);
  if (!isSuccess(answer.status)) return declined(`it answered ${answer.status}`);
  if (echoes(answer.body, text)) return { kind: 'agreed', maxPerSec: null };
  return declined('the body of its answer does not have the challenge');
}

async function ask({ agent, origin }: HandshakeOptions, candidate: Candidate): Promise<HandshakeResult> {
  const own = ['webhook-request-origin', origin];
  const answer = await agent.send(requestTo(candidate, { method: 'OPTIONS', own, body: NO_BODY }));
  if (answer.kind !== 'response') return notAnswered(answer);
  if (!isSuccess(answer.status)) return declined(`it answered ${answer.status}`);
  const { isAllowed, maxPerSec } = readCloudEventsAnswer(answer.headers, origin);
  if (!isAllowed) return declined(`its WebHook-Allowed-Origin names neither ${origin} nor *`);
  return { kind: 'agreed', maxPerSec };
}

interface Message {
  readonly method: 'POST' | 'OPTIONS';
  /** Headers of this request alone: names and values. */
  readonly own: readonly string[];
  readonly body: Buffer;
}

function requestTo(candidate: Candidate, { method, own, body }: Message): OutboundRequest {
  const target = parseTarget(candidate.url);
  if (target === null) throw new Error('a stored URL is not one');
  return {
    target,
    method,
    headers: [...own, 'user-agent', USER_AGENT, ...candidate.headers.flat()],
    body,
    deadlineMs: HANDSHAKE_DEADLINE_MS,
    maxResponseBytes: MAX_ANSWER_BYTES,
    onBehalfOf: candidate.tenantId,
    tls: candidate.tls,
  };
}

const NO_BODY = Buffer.alloc(0);
const isSuccess = (status: number): boolean => status >= 200 && status < 300;
const declined = (detail: string): Declined => ({ kind: 'declined', detail });
const notAnswered = (answer: Exclude<SendResult, { kind: 'response' }>): Declined =>
  declined(answer.kind === 'failure' ? answer.detail : 'the request was not made');
