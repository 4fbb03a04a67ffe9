import { isEventType, MAX_EVENT_TYPE_CHARS } from '@posthorn/contracts';
import type { CurrentEventType, EventTypeRow, EventTypeVersionRow } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import { AT } from '../../http/examples.ts';

export const MAX_DESCRIPTION_CHARS = 4_000;
export const MAX_EXAMPLES = 20;
/** Of a schema, and of all examples together, as JSON. */
export const MAX_SCHEMA_BYTES = 64 * 1024;

const NAME_RULE = `must be 1–8 parts of a–z, 0–9, "_" and "-", joined by ".", ${MAX_EVENT_TYPE_CHARS} characters at most`;
export const Name = Type.Refine(
  Type.String({
    description: '`order.created`: what, then what happened to it.',
    examples: ['order.created'],
  }),
  isEventType,
  () => NAME_RULE,
);
export const EventTypeParams = Type.Object({
  event_type: Type.String({ maxLength: MAX_EVENT_TYPE_CHARS, examples: ['order.created'] }),
});

const isText = (text: string): boolean => text.isWellFormed() && !text.includes('\0');
export const Description = Type.Refine(
  Type.String({ maxLength: MAX_DESCRIPTION_CHARS, description: 'Markdown.' }),
  isText,
  () => 'must be text without NUL',
);

export const State = Type.Enum(['active', 'deprecated', 'archived'], {
  description:
    'Events of a `deprecated` type are accepted with a warning; an `archived` one is as if it were not in the catalogue.',
});
export const Enforcement = Type.Enum(['off', 'warn', 'reject'], {
  description:
    'Whether payloads are held to the schema: not at all, with a warning in the answer, or with 422 `payload_invalid`.',
});

export const Schema = Type.Unsafe<Readonly<Record<string, unknown>>>(
  Type.Object(
    {},
    {
      additionalProperties: true,
      description:
        'JSON Schema, draft 2020-12 (or 07, by `$schema`). It refers to nothing outside itself. Patterns are RE2: no look-around, no back references.',
    },
  ),
);
export const Examples = Type.Array(Type.Unknown(), {
  maxItems: MAX_EXAMPLES,
  description: 'Payloads that fit the schema. The first is what a test of a webhook sends.',
});

export const ORDER_SCHEMA = {
  type: 'object',
  required: ['order_id', 'total'],
  properties: { order_id: { type: 'string' }, total: { type: 'integer', minimum: 0 } },
};
export const ORDER_EXAMPLE = { order_id: 'ord_1', total: 4200 };

export const NewVersion = Type.Object(
  { schema: Type.Optional(Schema), examples: Type.Optional(Examples) },
  {
    title: 'NewEventTypeVersion',
    additionalProperties: false,
    examples: [{ schema: ORDER_SCHEMA, examples: [ORDER_EXAMPLE] }],
  },
);

export const NewEventType = Type.Object(
  {
    name: Name,
    description: Type.Optional(Description),
    enforcement: Type.Optional(Enforcement),
    schema: Type.Optional(Schema),
    examples: Type.Optional(Examples),
  },
  {
    title: 'NewEventType',
    additionalProperties: false,
    examples: [
      {
        name: 'order.created',
        description: 'An order was placed.',
        schema: ORDER_SCHEMA,
        examples: [ORDER_EXAMPLE],
        enforcement: 'warn',
      },
    ],
  },
);

/** What a column of versions holds. */
const MAX_VERSION = 2_147_483_647;

export const EventTypeChange = Type.Object(
  {
    description: Type.Optional(Description),
    state: Type.Optional(State),
    enforcement: Type.Optional(Enforcement),
    current_version: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_VERSION,
        description: 'Payloads are held to the schema of this one.',
      }),
    ),
  },
  {
    title: 'EventTypeChange',
    additionalProperties: false,
    minProperties: 1,
    examples: [{ enforcement: 'reject' }, { state: 'deprecated' }],
  },
);

const listed = {
  name: Type.String(),
  description: Type.String(),
  state: State,
  enforcement: Enforcement,
  current_version: Type.Integer(),
  created_at: Type.String(),
  updated_at: Type.String(),
};
const LISTED_EXAMPLE = {
  name: 'order.created',
  description: 'An order was placed.',
  state: 'active' as const,
  enforcement: 'warn' as const,
  current_version: 1,
  created_at: AT,
  updated_at: AT,
};
export const ListedEventType = Type.Object(listed, { title: 'ListedEventType', examples: [LISTED_EXAMPLE] });
export const listedExample = LISTED_EXAMPLE;

const AnySchema = Type.Union([Schema, Type.Null()]);
export const Version = Type.Object(
  {
    version: Type.Integer(),
    schema: AnySchema,
    examples: Type.Array(Type.Unknown()),
    created_at: Type.String(),
  },
  {
    title: 'EventTypeVersion',
    examples: [{ version: 1, schema: ORDER_SCHEMA, examples: [ORDER_EXAMPLE], created_at: AT }],
  },
);
export const Versions = Type.Object(
  { data: Type.Array(Version), next: Type.Null(), prev: Type.Null() },
  { title: 'EventTypeVersions', examples: [{ data: [], next: null, prev: null }] },
);

export const EventType = Type.Object(
  { ...listed, schema: AnySchema, examples: Type.Array(Type.Unknown()) },
  {
    title: 'EventType',
    description: 'With the schema and the examples of its current version.',
    examples: [{ ...LISTED_EXAMPLE, schema: ORDER_SCHEMA, examples: [ORDER_EXAMPLE] }],
  },
);

export const viewListed = (row: EventTypeRow): Static<typeof ListedEventType> => ({
  name: row.name,
  description: row.description,
  state: row.state,
  enforcement: row.enforcement,
  current_version: row.currentVersion,
  created_at: row.createdAt.toISOString(),
  updated_at: row.updatedAt.toISOString(),
});

const viewTexts = ({ schema, examples }: Pick<EventTypeVersionRow, 'schema' | 'examples'>) => ({
  schema: schema === null ? null : JSON.parse(schema),
  examples: JSON.parse(examples),
});

export const viewVersion = (row: EventTypeVersionRow): Static<typeof Version> => ({
  version: row.version,
  ...viewTexts(row),
  created_at: row.createdAt.toISOString(),
});

export const viewEventType = (row: CurrentEventType): Static<typeof EventType> => ({
  ...viewListed(row),
  ...viewTexts(row),
});
