import { isPlainText } from '@posthorn/contracts';
import Type from 'typebox';
import { pageOf, pageQuery } from '../../http/cursor.ts';
import { AT, KEY, TENANT, WEBHOOK } from '../../http/examples.ts';
import { tenantFilter, timeFilters } from '../../http/fields.ts';
import { Nullable } from '../../http/validation.ts';

const MAX_FILTER_CHARS = 128;

const text = (description: string, example: string) =>
  Type.Refine(
    Type.String({ minLength: 1, maxLength: MAX_FILTER_CHARS, description, examples: [example] }),
    isPlainText,
    () => 'must be plain text',
  );

const Filters = {
  ...tenantFilter,
  action: Type.Optional(
    Type.String({
      pattern: '^[a-z_]{1,64}\\.([a-z_]{1,64}|\\*)$',
      description: 'What was done: `endpoint.updated`, or all of a noun: `endpoint.*`.',
      examples: ['endpoint.*'],
    }),
  ),
  actor: Type.Optional(text('The id of the key or token that acted.', KEY)),
  subject: Type.Optional(text('The id of what was acted on.', WEBHOOK)),
  ...timeFilters,
};

export const AuditQuery = Type.Object({ ...Filters, ...pageQuery }, { additionalProperties: false });

export const ExportQuery = Type.Object(
  {
    ...Filters,
    format: Type.Optional(
      Type.Enum(['ndjson', 'csv'], { description: '`ndjson` where it is left out.', examples: ['csv'] }),
    ),
  },
  { additionalProperties: false },
);

const View = Type.Record(Type.String(), Type.Unknown());

const ENTRY = {
  seq: 42,
  at: AT,
  actor: KEY,
  actor_name: 'zoe@product.example',
  ip: '192.0.2.17',
  request_id: 'req_k3f9a2c1',
  action: 'endpoint.updated',
  tenant_id: TENANT,
  subject: WEBHOOK,
  before: { url: 'https://old.example/hooks' },
  after: { url: 'https://new.example/hooks' },
  detail: {},
  hash: 'c0ffee'.padEnd(64, '0'),
};

export const AuditEntry = Type.Object(
  {
    seq: Type.Integer({ description: 'Its place in the chain.' }),
    at: Type.String(),
    actor: Type.String({
      description:
        'The id of the key or token, the name of a process of ours, or `sql:<role>` for a change made in the database. A tenant sees `operator` for all but its own.',
    }),
    actor_name: Nullable(Type.String({ description: 'Whom the header `X-Actor` named.' })),
    ip: Nullable(Type.String()),
    request_id: Nullable(Type.String()),
    action: Type.String(),
    tenant_id: Nullable(Type.String()),
    subject: Type.String(),
    before: Nullable(View),
    after: Nullable(View),
    detail: View,
    hash: Type.String({ description: 'SHA-256 over this entry and the hash before it, in hex.' }),
  },
  { title: 'AuditEntry', examples: [ENTRY] },
);
export const AuditPage = pageOf(AuditEntry, 'AuditPage', ENTRY);

export const AuditHead = Type.Object(
  { seq: Type.Integer(), hash: Type.String() },
  {
    title: 'AuditHead',
    description: 'The end of the chain.',
    examples: [{ seq: ENTRY.seq, hash: ENTRY.hash }],
  },
);

export const AuditExport = Type.String({
  description: 'One entry a line, the oldest first.',
  examples: [`${JSON.stringify(ENTRY)}\n`],
});
