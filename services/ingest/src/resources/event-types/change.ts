import { isEventType } from '@posthorn/contracts';
import { type EventTypeChanges, MAX_EVENT_TYPE_VERSIONS, MAX_EVENT_TYPES } from '@posthorn/db';
import type { FastifyReply } from 'fastify';
import type { Static } from 'typebox';
import { actorOf } from '../../access/actor.ts';
import type { App, AppParts } from '../../http/app.ts';
import { OPERATORS, operation } from '../../http/operation.ts';
import { isProblem, type Problem, problem, sendProblem } from '../../http/problem.ts';
import { checkVersion } from './check-version.ts';
import { unknownEventType } from './read.ts';
import {
  EventType,
  EventTypeChange,
  EventTypeParams,
  MAX_SCHEMA_BYTES,
  NewEventType,
  NewVersion,
  viewEventType,
} from './schema.ts';

/** The catalogue is the operator's. */
export const CHANGE = { scope: 'manage', callers: OPERATORS } as const;
const TAG = 'Event types';
const ENVELOPE_BYTES = 64 * 1024;
const BODY_BYTES = 2 * MAX_SCHEMA_BYTES + ENVELOPE_BYTES;
const EFFECTIVE = 'Effective for events at every replica within 5 s.';

export function changeEventTypes(app: App, parts: AppParts): void {
  createType(app, parts);
  changeType(app, parts);
  addVersion(app, parts);
}

function createType(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'createEventType',
    tag: TAG,
    summary: 'Add an event type to the catalogue',
    description: `Its schema, if it has one, is compiled and its examples are held to it. ${EFFECTIVE}`,
    access: CHANGE,
    body: NewEventType,
    bodyLimit: BODY_BYTES,
    answers: { 201: EventType },
    problems: ['event_type_exists', 'too_many_event_types'],
  });
  app.post('/event-types', declared, async (request, reply) => {
    const { name, description = '', enforcement = 'off' } = request.body;
    const texts = await checkVersion(parts.payloadChecks, request.body);
    if (isProblem(texts)) return sendProblem(reply, texts);
    const actor = actorOf(request);
    const created = await parts.store.eventTypes.create({ name, description, enforcement, ...texts }, actor);
    if (created !== 'created') return sendProblem(reply, created === 'exists' ? taken(name) : FULL);
    parts.log.info({ event_type: name, key_id: actor.keyId }, 'event type created');
    return answerWith(reply, 201, await showCurrent(parts, name));
  });
}

const taken = (name: string): Problem =>
  problem('event_type_exists', `there is an event type ${name} already`);
export const FULL = problem('too_many_event_types', `the catalogue has ${MAX_EVENT_TYPES} types`, {
  members: { limit: MAX_EVENT_TYPES },
});
const VERSIONS_FULL = problem('too_many_event_types', `the type has ${MAX_EVENT_TYPE_VERSIONS} versions`, {
  members: { limit: MAX_EVENT_TYPE_VERSIONS },
});

function changeType(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'changeEventType',
    tag: TAG,
    summary: 'Change, deprecate or archive an event type',
    description: `What is left out stays as it is. An archived type can be made \`active\` again. ${EFFECTIVE}`,
    access: CHANGE,
    params: EventTypeParams,
    body: EventTypeChange,
    answers: { 200: EventType },
    problems: ['event_type_not_found'],
  });
  app.patch('/event-types/:event_type', declared, async (request, reply) => {
    const name = request.params.event_type;
    if (!isEventType(name)) return sendProblem(reply, unknownEventType(name));
    const actor = actorOf(request);
    const outcome = await parts.store.eventTypes.change(name, toChanges(request.body), actor);
    if (outcome === 'unknown_type') return sendProblem(reply, unknownEventType(name));
    if (outcome === 'unknown_version') {
      return sendProblem(reply, unknownVersion(name, request.body.current_version));
    }
    parts.log.info({ event_type: name, key_id: actor.keyId }, 'event type changed');
    return answerWith(reply, 200, await showCurrent(parts, name));
  });
}

function toChanges({ current_version, ...rest }: Static<typeof EventTypeChange>): EventTypeChanges {
  return current_version === undefined ? rest : { ...rest, currentVersion: current_version };
}

const unknownVersion = (name: string, version: number | undefined): Problem =>
  problem('event_type_not_found', `the event type ${name} has no version ${version}`);

function addVersion(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'addEventTypeVersion',
    tag: TAG,
    summary: 'Add a version to an event type',
    description: `It becomes the current one: payloads are held to its schema. ${EFFECTIVE}`,
    access: CHANGE,
    params: EventTypeParams,
    body: NewVersion,
    bodyLimit: BODY_BYTES,
    answers: { 201: EventType },
    problems: ['event_type_not_found', 'too_many_event_types'],
  });
  app.post('/event-types/:event_type/versions', declared, async (request, reply) => {
    const name = request.params.event_type;
    if (!isEventType(name)) return sendProblem(reply, unknownEventType(name));
    const texts = await checkVersion(parts.payloadChecks, request.body);
    if (isProblem(texts)) return sendProblem(reply, texts);
    const actor = actorOf(request);
    const added = await parts.store.eventTypes.addVersion(name, texts, actor);
    if (added === null) return sendProblem(reply, unknownEventType(name));
    if (added === 'too_many') return sendProblem(reply, VERSIONS_FULL);
    parts.log.info({ event_type: name, key_id: actor.keyId }, 'event type changed');
    return answerWith(reply, 201, await showCurrent(parts, name));
  });
}

function answerWith(
  reply: FastifyReply,
  status: 200 | 201,
  shown: Static<typeof EventType> | Problem,
): FastifyReply {
  return isProblem(shown) ? sendProblem(reply, shown) : reply.code(status).send(shown);
}

/** What was changed, once this replica works with it. */
async function showCurrent(
  { store, catalogue }: AppParts,
  name: string,
): Promise<Static<typeof EventType> | Problem> {
  await catalogue.poll();
  const [row] = await store.eventTypes.findCurrent([name]);
  return row ? viewEventType(row) : unknownEventType(name);
}
