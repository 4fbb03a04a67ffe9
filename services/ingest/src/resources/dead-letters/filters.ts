import { isEndpointId, isEventType, isTenantId } from '@posthorn/contracts';
import Type from 'typebox';
import { TENANT_ID_RULE } from '../../accept/parse-event.ts';

/** Which dead letters are meant, whether they are listed or retried. */
export const DeadLetterFilters = {
  tenant_id: Type.Optional(Type.Refine(Type.String(), isTenantId, () => TENANT_ID_RULE)),
  webhook_id: Type.Optional(Type.Refine(Type.String(), isEndpointId, () => 'must be the id of a webhook')),
  event_type: Type.Optional(Type.Refine(Type.String(), isEventType, () => 'must be an event type')),
};
