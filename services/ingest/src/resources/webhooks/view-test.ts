import type { DeliveryId, EventId } from '@posthorn/contracts';
import type { AttemptRow, EndpointRow } from '@posthorn/db';
import { SealedSecretError } from '@posthorn/secrets';
import type { SigningKey } from '@posthorn/signing';
import Type, { type Static } from 'typebox';
import type { PostedEvent } from '../../accept/posted-event.ts';
import type { AppParts } from '../../http/app.ts';
import { DELIVERY, EVENT, WEBHOOK } from '../../http/examples.ts';
import { describeRequest, type SentRequest } from '../attempts/describe-request.ts';
import { viewResponse } from '../attempts/routes.ts';
import { FullAttempt } from '../attempts/schema.ts';
import { viewAttempt } from '../deliveries/schema.ts';
import { Warning } from '../events/schema.ts';
import { signingKeysAt } from './signing-keys-at.ts';

const ids = {
  webhook_id: Type.String(),
  event_id: Type.String(),
  delivery_id: Type.String(),
  event_type: Type.String(),
  warnings: Type.Optional(
    Type.Array(Warning, { description: 'What the rules of the event type say against it.' }),
  ),
};
const IDS_EXAMPLE = {
  webhook_id: WEBHOOK,
  event_id: EVENT,
  delivery_id: DELIVERY,
  event_type: 'order.created',
};

export const TestQueued = Type.Object(ids, {
  title: 'TestQueued',
  description: 'It is on its way: look for the delivery.',
  examples: [IDS_EXAMPLE],
});
export type Queued = Static<typeof TestQueued> & {
  readonly event_id: EventId;
  readonly delivery_id: DeliveryId;
};

export type Warnings = NonNullable<Static<typeof TestQueued>['warnings']>;

const { examples } = FullAttempt as { examples?: readonly Static<typeof FullAttempt>[] };

export const TestResult = Type.Object(
  { ...ids, attempt: FullAttempt },
  {
    title: 'TestResult',
    description:
      'What came of the first attempt: the request with its signatures as they were sent, but without the values of the webhook’s own headers; the response; the timing. An attempt with `state` `processing` is made again.',
    examples: [{ ...IDS_EXAMPLE, attempt: examples?.[0] }],
  },
);

export interface Tested {
  readonly found: EndpointRow;
  readonly event: PostedEvent;
  readonly queued: Queued;
  readonly attempt: AttemptRow;
}

export async function viewTest(parts: AppParts, tested: Tested): Promise<Static<typeof TestResult>> {
  const { queued, attempt } = tested;
  const request = await viewRequest(parts, tested);
  return { ...queued, attempt: { ...viewAttempt(attempt), request, response: viewResponse(attempt) } };
}

async function viewRequest(
  parts: AppParts,
  { found, event, queued, attempt }: Tested,
): Promise<SentRequest | null> {
  const made = await parts.store.record.findEndpointRequest(found.tenantId, attempt);
  if (made === null) return null;
  const { type, contentType, payload } = event;
  const facts = {
    ...attempt,
    event: { eventId: queued.event_id, type, contentType, payload },
    made,
    headerPrefix: parts.signatureHeaderPrefix,
  };
  return describeRequest(facts, keysAt(parts, found, attempt.startedAt.getTime()));
}

/** Those that signed at the time; null where they cannot be had, and signatures stay redacted. */
function keysAt(
  { tenants }: AppParts,
  { tenantId, endpointId }: EndpointRow,
  atMs: number,
): SigningKey[] | null {
  const endpoint = tenants.peek(tenantId)?.endpoints.get(endpointId);
  if (endpoint === undefined) return null;
  try {
    const keys = signingKeysAt(endpoint, atMs);
    return keys.length > 0 ? keys : null;
  } catch (error) {
    if (error instanceof SealedSecretError) return null;
    throw error;
  }
}
