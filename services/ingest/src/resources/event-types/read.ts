import { isEventType } from '@posthorn/contracts';
import type { EventTypeRow } from '@posthorn/db';
import Type from 'typebox';
import type { App, AppParts } from '../../http/app.ts';
import { pageOf, pageQuery } from '../../http/cursor.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { isProblem, notFound, type Problem, sendProblem } from '../../http/problem.ts';
import { byText, readPage } from '../../http/read-page.ts';
import {
  EventType,
  EventTypeParams,
  ListedEventType,
  listedExample,
  State,
  Versions,
  viewEventType,
  viewListed,
  viewVersion,
} from './schema.ts';

/** Everybody who may read may read the catalogue: it says nothing of any tenant. */
export const READ = { scope: 'read', callers: EVERYBODY } as const;
const TAG = 'Event types';

const Query = Type.Object(
  {
    ...pageQuery,
    state: Type.Optional(State),
    prefix: Type.Optional(
      Type.String({ pattern: '^[a-z0-9_.-]{1,256}$', description: 'How the name begins: `order.`' }),
    ),
  },
  { additionalProperties: false },
);

export function readEventTypes(app: App, parts: AppParts): void {
  listTypes(app, parts);
  getType(app, parts);
  listVersions(app, parts);
}

function listTypes(app: App, { store }: AppParts): void {
  const declared = operation({
    id: 'listEventTypes',
    tag: TAG,
    summary: 'List event types',
    description: 'By name, without those that are archived unless `state` asks for them.',
    access: READ,
    querystring: Query,
    answers: { 200: pageOf(ListedEventType, 'EventTypes', listedExample) },
  });
  app.get('/event-types', declared, async (request, reply) => {
    const { query } = request;
    const list = { path: '/event-types', query, tenantId: null, keyOf: ({ name }: EventTypeRow) => [name] };
    const page = await readPage(list, viewListed, (place) => store.eventTypes.list(query, byText(place)));
    return isProblem(page) ? sendProblem(reply, page) : reply.send(page);
  });
}

function getType(app: App, { store }: AppParts): void {
  const declared = operation({
    id: 'getEventType',
    tag: TAG,
    summary: 'Get an event type',
    description: 'With the schema and the examples of its current version.',
    access: READ,
    params: EventTypeParams,
    answers: { 200: EventType },
    problems: ['event_type_not_found'],
  });
  app.get('/event-types/:event_type', declared, async (request, reply) => {
    const name = request.params.event_type;
    const [row] = isEventType(name) ? await store.eventTypes.findCurrent([name]) : [];
    return row ? reply.send(viewEventType(row)) : sendProblem(reply, unknownEventType(name));
  });
}

function listVersions(app: App, { store }: AppParts): void {
  const declared = operation({
    id: 'listEventTypeVersions',
    tag: TAG,
    summary: 'List the versions of an event type',
    description: 'Newest first, each with its schema and examples. A version never changes.',
    access: READ,
    params: EventTypeParams,
    answers: { 200: Versions },
    problems: ['event_type_not_found'],
  });
  app.get('/event-types/:event_type/versions', declared, async (request, reply) => {
    const name = request.params.event_type;
    const rows = isEventType(name) ? await store.eventTypes.listVersions(name) : [];
    if (rows.length === 0) return sendProblem(reply, unknownEventType(name));
    return reply.send({ data: rows.map(viewVersion), next: null, prev: null });
  });
}

export const unknownEventType = (name: string): Problem =>
  notFound('event_type_not_found', 'event type', name);
