import { isPlainText } from '@posthorn/contracts';
import Type, { type Static } from 'typebox';
import { pageOf, pageQuery } from '../../http/cursor.ts';
import { eventType, tenantFilter, tenantId } from '../../http/fields.ts';
import { LabelText } from '../../http/read-label.ts';
import { ChangeableFields, GivenFields, SecretField, StateFields, urlField } from './fields.ts';
import { WEBHOOK_EXAMPLE, Webhook } from './view-webhook.ts';

type UrlFault = (url: string) => string | null;

export const newWebhook = (urlFault: UrlFault) =>
  Type.Object(
    {
      tenant_id: Type.Optional(tenantId('Needed with an operator key; with others their own tenant.')),
      url: urlField(urlFault),
      secret: Type.Optional(SecretField),
      ...GivenFields,
      ...StateFields,
    },
    {
      title: 'NewWebhook',
      additionalProperties: false,
      examples: [
        {
          url: 'https://hooks.example.com/orders',
          secret: 'webhook_secret_key',
          event_types: ['order.created', 'order.updated'],
          tenant_id: 'customer-123',
        },
        {
          tenant_id: 'customer-123',
          url: 'https://hooks.example.com/large-orders',
          event_types: ['order.*'],
          labels: { region: 'eu' },
          headers: { Authorization: 'Bearer of-the-receiver' },
          method: 'PUT',
          retry_schedule: 'standard',
          max_concurrency: 5,
          metadata: { team: 'billing' },
        },
      ],
    },
  );
export type NewWebhook = Static<ReturnType<typeof newWebhook>>;

export const webhookChanges = (urlFault: UrlFault) =>
  Type.Object(
    { url: Type.Optional(urlField(urlFault)), ...ChangeableFields, ...StateFields },
    {
      title: 'WebhookChanges',
      additionalProperties: false,
      minProperties: 1,
      examples: [{ event_types: ['order.*'], max_concurrency: 5 }, { enabled: false }],
    },
  );
export type WebhookChanges = Static<ReturnType<typeof webhookChanges>>;

export const webhookReplacement = (urlFault: UrlFault) =>
  Type.Object(
    { url: urlField(urlFault), ...ChangeableFields, ...StateFields },
    {
      title: 'WebhookReplacement',
      additionalProperties: false,
      examples: [
        {
          url: 'https://hooks.example.com/orders',
          event_types: ['order.*'],
          headers: { authorization: '***' },
        },
      ],
    },
  );

export const Pause = Type.Object(
  {
    mode: Type.Enum(['hold', 'drop'], {
      description: '`hold`: what comes meanwhile is queued and waits. `drop`: it is not matched.',
    }),
  },
  { title: 'Pause', additionalProperties: false, examples: [{ mode: 'hold' }] },
);

const MAX_URL_TEXT_CHARS = 256;

export const ListQuery = Type.Object(
  {
    ...pageQuery,
    ...tenantFilter,
    state: Type.Optional(Type.Enum(['active', 'paused', 'disabled'])),
    event_type: Type.Optional(eventType('Those that get this type, by name or by prefix.')),
    label: Type.Optional(LabelText),
    url: Type.Optional(
      Type.Refine(
        Type.String({
          minLength: 1,
          maxLength: MAX_URL_TEXT_CHARS,
          description: 'Those whose URL has this text in it, in any case.',
          examples: ['hooks.example.com'],
        }),
        isPlainText,
        () => 'must be plain text',
      ),
    ),
  },
  { additionalProperties: false },
);

export const WebhookPage = pageOf(Webhook, 'WebhookPage', WEBHOOK_EXAMPLE);
