import { isPlainText, type Labels } from '@posthorn/contracts';
import Type from 'typebox';
import { labelFault } from '../../accept/check-fields.ts';
import { MAX_ACTOR_CHARS } from '../../access/actor.ts';
import { DEFAULT_TTL_S, MAX_TTL_S, MIN_TTL_S } from '../../access/portal-token.ts';
import { AT, TENANT } from '../../http/examples.ts';
import { tenantId } from '../../http/fields.ts';
import { Nullable } from '../../http/validation.ts';

/** Fewer than an endpoint's: a token travels with every request. */
const MAX_NARROWING_LABELS = 8;

const NarrowingLabels = Type.Refine(
  Type.Object(
    {},
    {
      additionalProperties: Type.String(),
      minProperties: 1,
      maxProperties: MAX_NARROWING_LABELS,
      description:
        'Narrows the token to webhooks that carry all of these labels, and to what was sent to them; the rest is as absent as another tenant’s.',
    },
  ),
  (labels) => Object.entries(labels).every(([key, value]) => labelFault(key, value) === null),
  () => 'must be strings, with keys and values as of an event’s labels',
);

export const NewPortalToken = Type.Object(
  {
    tenant_id: Type.Optional(tenantId()),
    scopes: Type.Optional(
      Type.Array(Type.Enum(['read', 'manage']), {
        minItems: 1,
        maxItems: 2,
        uniqueItems: true,
        description:
          '`["read"]` where it is left out; `manage` also creates and changes webhooks and replays.',
      }),
    ),
    labels: Type.Optional(NarrowingLabels),
    ttl_seconds: Type.Optional(
      Type.Integer({
        minimum: MIN_TTL_S,
        maximum: MAX_TTL_S,
        description: `${DEFAULT_TTL_S} where it is left out.`,
      }),
    ),
    user: Type.Optional(
      Type.Refine(
        Type.String({
          minLength: 1,
          maxLength: MAX_ACTOR_CHARS,
          description: 'Whom the token is for: the audit log names him for what is done with it.',
        }),
        isPlainText,
        () => 'must be plain text',
      ),
    ),
  },
  {
    additionalProperties: false,
    examples: [
      {
        tenant_id: TENANT,
        scopes: ['read', 'manage'],
        labels: { project: 'apollo' },
        ttl_seconds: 900,
        user: 'zoe@customer.example',
      },
    ],
  },
);

export const PortalToken = Type.Object(
  {
    token: Type.String({ description: 'Goes into `Authorization: Bearer <token>`. It is not stored.' }),
    token_id: Type.String({ description: 'What the audit log calls it.' }),
    tenant_id: Type.String(),
    scopes: Type.Array(Type.String()),
    labels: Nullable(Type.Record(Type.String(), Type.String())),
    expires_at: Type.String(),
  },
  {
    title: 'PortalToken',
    description: 'The token.',
    examples: [
      {
        token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXN0b21lci0xMjMifQ.signature',
        token_id: 'ptk_0123456789abcdef',
        tenant_id: TENANT,
        scopes: ['read', 'manage'],
        labels: { project: 'apollo' } as Labels,
        expires_at: AT,
      },
    ],
  },
);

export const PortalRevocation = Type.Object(
  { tenant_id: Type.Optional(tenantId()) },
  { additionalProperties: false, examples: [{ tenant_id: TENANT }] },
);

export const PortalRevoked = Type.Object(
  { tenant_id: Type.String(), not_before: Type.String() },
  {
    title: 'PortalRevoked',
    description: 'Tokens that were issued until then are refused.',
    examples: [{ tenant_id: TENANT, not_before: AT }],
  },
);
