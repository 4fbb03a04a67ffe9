import {
  acceptedAtMs,
  isOurHeader,
  REDACTED,
  requestHeaderNames,
  requestHeaders,
  type Signatures,
  type TenantId,
  USER_AGENT,
} from '@posthorn/contracts';
import type { EndpointRequestRow, SignatureScheme } from '@posthorn/db';
import { makeSignatures, type SigningKey } from '@posthorn/signing';
import Type, { type Static } from 'typebox';
import { redactUrl } from '../../access/redact.ts';
import { decodeBody, ShownBody } from './decode-body.ts';
import { writeCurl } from './write-curl.ts';

export const SentRequest = Type.Object(
  {
    method: Type.Enum(['POST', 'PUT']),
    url: Type.String({ description: 'Without a user name and password.' }),
    headers: Type.Record(Type.String(), Type.String(), {
      description:
        "As they were sent, but `host`, `content-length`, `connection`, `cdn-loop` and `traceparent`. Signatures, what authenticates the request and the values of the webhook's own headers read `[redacted]`.",
    }),
    ...ShownBody.properties,
    curl: Type.String({
      description: 'The request as a command; what is redacted is a placeholder in angle brackets.',
    }),
  },
  { title: 'SentRequest' },
);
export type SentRequest = Static<typeof SentRequest>;

/** An attempt, and what its request was made of. */
export interface AttemptFacts {
  readonly attemptId: string;
  readonly deliveryId: string;
  readonly run: number;
  readonly attempt: number;
  readonly event: {
    readonly eventId: string;
    readonly type: string;
    readonly contentType: string;
    readonly payload: Buffer;
  };
  /** Of a delivery to a system endpoint: the tenant whose event it is. */
  readonly sourceTenantId?: TenantId;
  /** How requests were made at the time (`findEndpointRequest`). */
  readonly made: EndpointRequestRow;
  /** The installation's now: what it was at the time is not kept. */
  readonly headerPrefix: string;
}

/**
 * The request of an attempt, made again by the code that made it: all of it follows from the attempt and from its
 * endpoint as it was, so nothing of it is stored. With `keys`, which must be those that signed it, the signatures are
 * the ones that were sent; without, they are redacted.
 */
export function describeRequest(facts: AttemptFacts, keys: readonly SigningKey[] | null = null): SentRequest {
  const { event, made } = facts;
  const url = redactUrl(made.url);
  const headers = readHeaders(
    facts,
    keys === null ? redactedSignature(facts) : makeSignatures(signedParts(facts, keys)),
  );
  return {
    method: made.method,
    url,
    headers,
    ...decodeBody(event.payload, event.contentType),
    curl: writeCurl({
      method: made.method,
      url,
      headers: withPlaceholders(headers),
      body: event.payload,
      tlsParts: made.tlsParts,
    }),
  };
}

function readHeaders(facts: AttemptFacts, signature: Signatures): Record<string, string> {
  const { event, made, headerPrefix } = facts;
  const flat = requestHeaders(requestHeaderNames(headerPrefix), {
    signature,
    eventId: event.eventId,
    eventType: event.type,
    run: facts.run,
    attempt: facts.attempt,
    contentType: event.contentType,
    sourceTenantId: facts.sourceTenantId,
    userAgent: USER_AGENT,
    headers: made.headerNames
      .filter((name) => !isOurHeader(headerPrefix, name))
      .map((name) => [name, REDACTED]),
  });
  const headers: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) headers[flat[i]!] = flat[i + 1]!;
  return headers;
}

function signedParts({ attemptId, deliveryId, event }: AttemptFacts, keys: readonly SigningKey[]) {
  return { id: deliveryId, timestampSeconds: startedSeconds(attemptId), body: event.payload, keys };
}

/** One of each kind: how many there were while secrets rotated is not known any more. */
function redactedSignature({ attemptId, deliveryId, made: { signatures } }: AttemptFacts): Signatures {
  const redacted = (scheme: SignatureScheme): string => `${scheme},${REDACTED}`;
  return {
    id: deliveryId,
    timestamp: String(startedSeconds(attemptId)),
    signature: signatures.map(redacted).join(' '),
    bodySignature: signatures.includes('v1') ? `sha256=${REDACTED}` : null,
  };
}

/** An attempt's id is made of the moment that its timestamp says. */
const startedSeconds = (attemptId: string): number => Math.floor(acceptedAtMs(attemptId) / 1_000);

function withPlaceholders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replaceAll(REDACTED, `<${name}>`)]),
  );
}
