import Type, { type Static } from 'typebox';
import { pageOf, pageQuery } from '../../http/cursor.ts';
import { ChangeableFields, GivenFields, SecretField, StateFields, urlField } from '../webhooks/fields.ts';
import { WEBHOOK_EXAMPLE, Webhook } from '../webhooks/view-webhook.ts';

type UrlFault = (url: string) => string | null;

export const newSystemWebhook = (urlFault: UrlFault) =>
  Type.Object(
    { url: urlField(urlFault), secret: Type.Optional(SecretField), ...GivenFields, ...StateFields },
    {
      title: 'NewSystemWebhook',
      additionalProperties: false,
      examples: [
        { url: 'https://ops.example.com/orders', event_types: ['order.*'], labels: { region: 'eu' } },
      ],
    },
  );
export type NewSystemWebhook = Static<ReturnType<typeof newSystemWebhook>>;

export const systemWebhookChanges = (urlFault: UrlFault) =>
  Type.Object(
    { url: Type.Optional(urlField(urlFault)), ...ChangeableFields, ...StateFields },
    {
      title: 'SystemWebhookChanges',
      additionalProperties: false,
      minProperties: 1,
      examples: [{ event_types: ['order.*', 'invoice.*'] }],
    },
  );

export const SystemListQuery = Type.Object(pageQuery, { additionalProperties: false });

export const SystemWebhookPage = pageOf(Webhook, 'SystemWebhookPage', {
  ...WEBHOOK_EXAMPLE,
  tenant_id: 'posthorn',
  url: 'https://ops.example.com/orders',
});
