import type { SetAsideRow } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import type { App, AppParts } from '../../http/app.ts';
import { AT } from '../../http/examples.ts';
import { OPERATORS, operation } from '../../http/operation.ts';
import { integerText, Nullable } from '../../http/validation.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;
const MAX_OFFSET = 1_000_000;

const Query = Type.Object(
  { limit: Type.Optional(integerText(1, MAX_LIMIT)), offset: Type.Optional(integerText(0, MAX_OFFSET)) },
  { additionalProperties: false },
);
const ENTRY = { topic: 'events', partition: 3, offset: 4711, reason: 'unknown_tenant', set_aside_at: AT };
const Entry = Type.Object(
  {
    topic: Type.String(),
    partition: Type.Integer(),
    offset: Type.Integer(),
    reason: Type.String(),
    set_aside_at: Type.String(),
  },
  { title: 'SetAsideRecord', examples: [ENTRY] },
);
const Page = Type.Object(
  {
    entries: Type.Array(Entry),
    limit: Type.Integer(),
    offset: Type.Integer(),
    next: Nullable(Type.String()),
  },
  { title: 'SetAsidePage', examples: [{ entries: [ENTRY], limit: 50, offset: 0, next: null }] },
);

/** Records that could not be used, the latest first: where they lie in Kafka and why. */
export function setAsideRoutes(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'listSetAside',
    tag: 'System',
    summary: 'List records that could not be used',
    description: 'The latest first: where each lies in Kafka, and why it was set aside.',
    access: { scope: 'read', callers: OPERATORS },
    querystring: Query,
    answers: { 200: Page },
  });
  app.get('/set-aside', declared, async (request) => {
    const limit = Number(request.query.limit ?? DEFAULT_LIMIT);
    const offset = Number(request.query.offset ?? 0);
    // One more than is shown tells whether there is a next page.
    const rows = await parts.store.listSetAside({ limit: limit + 1, offset });
    const next = rows.length > limit ? `/v1/set-aside?limit=${limit}&offset=${offset + limit}` : null;
    return { entries: rows.slice(0, limit).map(viewSetAside), limit, offset, next };
  });
}

const viewSetAside = (row: SetAsideRow): Static<typeof Entry> => ({
  topic: row.topic,
  partition: row.partition,
  offset: row.offset,
  reason: row.reason,
  set_aside_at: row.setAsideAt.toISOString(),
});
