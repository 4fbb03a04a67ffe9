import Type, { type TSchema } from 'typebox';
import { type Operation, statusText, TAGS } from '../operation.ts';
import { NoBody } from '../validation.ts';
import { type Components, createComponents } from './components.ts';
import { createProblemResponses, ProblemDocument, type ProblemResponses } from './describe-problems.ts';
import { meaningOf } from './field-meanings.ts';

/** An operation with the method and the path (without `/v1`, parameters as `:name`) at which it is served. */
export interface ServedOperation {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** An event about the system itself, as the document's `webhooks` section shows it. */
export interface OperationalEvent {
  readonly type: string;
  readonly summary: string;
  readonly payload: TSchema;
}

const INTRODUCTION = `Posthorn delivers webhooks for products with many tenants.

Send \`Authorization: Bearer <key>\`, and with it \`X-Actor: <who>\` where the audit log is to name the person.
Times are RFC 3339 in UTC, names are snake_case. \`/v1\` is canonical; the paths without it answer the same. Every error
is a problem document (RFC 9457) with a stable \`code\`: see \`Problem\` for the catalogue. An object of another tenant is a
404, exactly as one that never was. \`X-Request-Id\` of every answer is what its line in the log has as \`request_id\`.

Lists come in pages \`{data, next, prev}\` of \`limit\` entries, where \`next\` and \`prev\` are paths to ask for; \`/dlq\` and
\`/set-aside\` go by \`offset\`. All filters that are given hold, and each has one name in every list: \`tenant_id\`,
\`webhook_id\`, \`event_id\`, \`delivery_id\`, \`event_type\`, \`state\`, \`status_class\`, \`failure\`, \`min_created_at\` and
\`max_created_at\` (both included).`;

/** The OpenAPI 3.1 document of the API: what routes declare, and nothing else. */
export function assembleDocument(
  served: readonly ServedOperation[],
  events: readonly OperationalEvent[],
): object {
  const components = createComponents();
  const problems = createProblemResponses();
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, path, operation } of inReadingOrder(served)) {
    const at = `/v1${path.replace(/:([a-z_]+)/g, '{$1}')}`;
    paths[at] ??= {};
    paths[at][method.toLowerCase()] = describe(operation, components, problems);
  }
  const webhooks = Object.fromEntries(events.map((event) => [event.type, describeEvent(event, components)]));
  components.refer(ProblemDocument);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Posthorn',
      version: '1',
      summary: 'Webhooks for products with many tenants',
      description: INTRODUCTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'Where this document was fetched.' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    webhooks,
    components: {
      schemas: components.schemas,
      responses: problems.responses,
      securitySchemes: {
        key: {
          type: 'http',
          scheme: 'bearer',
          description: 'An operator key, a tenant key or a portal token.',
        },
      },
    },
  };
}

const METHODS = ['POST', 'GET', 'PATCH', 'PUT', 'DELETE'];
const TAG_ORDER = Object.keys(TAGS);

/** By tag, then by path, so that what belongs together stands together, whoever registered it first. */
export function inReadingOrder(served: readonly ServedOperation[]): ServedOperation[] {
  const rank = ({ operation }: ServedOperation) => TAG_ORDER.indexOf(operation.tag);
  const byPath = (a: ServedOperation, b: ServedOperation) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
  const byMethod = (a: ServedOperation, b: ServedOperation) =>
    METHODS.indexOf(a.method) - METHODS.indexOf(b.method);
  return served.toSorted((a, b) => rank(a) - rank(b) || byPath(a, b) || byMethod(a, b));
}

function describe(operation: Operation, components: Components, problems: ProblemResponses): object {
  const { id, tag, summary, description, access, answers, produces = {} } = operation;
  const parameters = [
    ...parametersOf('path', operation.params, components),
    ...parametersOf('query', operation.querystring, components),
    ...parametersOf('header', operation.headers, components),
  ];
  const body = bodyOf(operation, components);
  const responses: Record<string, object> = {};
  for (const [status, schema] of Object.entries(answers)) {
    responses[status] = answerOf(Number(status), schema, produces[Number(status)], components);
  }
  Object.assign(responses, problems.of(operation));
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: body } : {}),
    responses,
    security: access === null ? [] : [{ key: [] }],
    ...(access === null ? {} : { 'x-scope': access.scope, 'x-callers': access.callers }),
  };
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, TSchema & { description?: string; examples?: unknown[] }>>;
  readonly required?: readonly string[];
}

function parametersOf(
  place: 'path' | 'query' | 'header',
  schema: TSchema | undefined,
  components: Components,
): object[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schema as ObjectSchema;
  return Object.entries(properties).map(([name, property]) => {
    const { examples, ...rest } = components.refer(property) as Record<string, unknown>;
    const { description = meaningOf(place, name), ...shape } = rest;
    return {
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: shape,
      ...(Array.isArray(examples) && examples.length > 0 ? { example: examples[0] } : {}),
    };
  });
}

function bodyOf({ body, bodies = {} }: Operation, components: Components): object | null {
  // An empty object is taken where nothing is needed; nobody has to know.
  const all = { ...(body && body !== NoBody ? { 'application/json': body } : {}), ...bodies };
  if (Object.keys(all).length === 0) return null;
  const content = Object.fromEntries(
    Object.entries(all).map(([type, schema]) => [type, mediaOf(schema, components)]),
  );
  return { required: body === undefined || !Type.IsOptional(body), content };
}

function answerOf(status: number, schema: TSchema, type: string | undefined, components: Components): object {
  const { description = statusText(status) } = schema as { description?: string };
  if (Type.IsNull(schema)) return { description };
  return { description, content: { [type ?? 'application/json']: mediaOf(schema, components) } };
}

function mediaOf(schema: TSchema, components: Components): object {
  const { examples } = schema as { examples?: readonly unknown[] };
  const given = examples?.map((value, i) => [`example_${i + 1}`, { value }] as const) ?? [];
  return {
    schema: components.refer(schema),
    ...(given.length > 0 ? { examples: Object.fromEntries(given) } : {}),
  };
}

function describeEvent({ type, summary, payload }: OperationalEvent, components: Components): object {
  return {
    post: {
      operationId: type,
      summary,
      tags: ['System webhooks'],
      requestBody: { required: true, content: { 'application/json': mediaOf(payload, components) } },
      responses: { '2XX': { description: 'Received. Anything else is tried again.' } },
    },
  };
}
