import { Validator } from '@seriousme/openapi-schema-validator';
import Type, { type TSchema } from 'typebox';
import { Check } from 'typebox/value';
import { beforeAll, describe, expect, test } from 'vitest';
import { type AppParts, createApi } from '../app.ts';
import { PROBLEMS, type ProblemCode } from '../problem.ts';
import type { ServedOperation } from './assemble.ts';
import { saysItself } from './components.ts';
import { describeApi } from './describe-api.ts';

let document: Record<string, unknown>;
let operations: readonly ServedOperation[];
beforeAll(async () => {
  const described = await describeApi();
  document = described.document as Record<string, unknown>;
  operations = described.operations;
});

interface Exemplified {
  readonly examples?: readonly unknown[];
}

interface Described {
  readonly [key: string]: unknown;
}

/** Names of fields and parameters that say nothing of themselves. */
function undescribed(at: unknown, name = ''): string[] {
  if (typeof at !== 'object' || at === null) return [];
  const node = at as Described;
  const isParameter = typeof node.in === 'string' && 'schema' in node;
  const own = isParameter && node.description === undefined ? [`parameter ${String(node.name)}`] : [];
  const fields = Object.entries((node.properties as Described | undefined) ?? {})
    .filter(([, field]) => !saysItself(field as never))
    .map(([field]) => `${name}.${field}`);
  const below = Object.entries(node)
    .filter(([key]) => key !== 'examples' && key !== 'example')
    .flatMap(([key, value]) => undescribed(value, key === 'properties' ? name : key));
  return [...own, ...fields, ...below];
}

const exampleFaults = (of: string, schema: TSchema): string[] => {
  const { examples = [] } = schema as Exemplified;
  if (examples.length === 0) return [`${of} has no example`];
  return examples
    .filter((example) => !Check(schema, example))
    .map(() => `${of} has an example that does not fit`);
};

const parametersOf = ({ querystring }: ServedOperation['operation']): string[] =>
  Object.keys((querystring as { properties?: object } | undefined)?.properties ?? {});

describe('the document', () => {
  test('is OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect([valid, errors]).toEqual([true, undefined]);
    expect(document.openapi).toMatch(/^3\.1\./);
  });

  test('has an example of every body and every answer, and each fits its schema', () => {
    const faults = operations.flatMap(({ operation: { id, body, bodies = {}, answers } }) => [
      ...(body ? exampleFaults(`the body of ${id}`, body) : []),
      ...Object.entries(bodies).flatMap(([type, schema]) => exampleFaults(`${type} of ${id}`, schema)),
      ...Object.entries(answers).flatMap(([status, schema]) =>
        Type.IsNull(schema) ? [] : exampleFaults(`answer ${status} of ${id}`, schema),
      ),
    ]);
    expect(faults).toEqual([]);
  });

  test('holds the body of every operation that changes something to a schema, also where there is none', () => {
    const unheld = operations.filter(
      ({ method, operation: { body, bodies } }) => method !== 'GET' && !body && !bodies,
    );
    expect(unheld.map(({ operation }) => operation.id)).toEqual([]);
  });

  test('has one word for a time in every list that has a cursor', () => {
    const lists = operations.filter(({ operation }) => parametersOf(operation).includes('cursor'));
    const timed = lists.filter(({ operation }) => parametersOf(operation).includes('min_created_at'));
    const others = lists.filter(({ operation }) =>
      parametersOf(operation).some((name) => ['since', 'until', 'from', 'to'].includes(name)),
    );
    expect(timed.map(({ operation }) => operation.id).sort()).toEqual([
      'listAttempts',
      'listAuditLog',
      'listDeliveries',
      'listEvents',
    ]);
    expect(others).toEqual([]);
  });

  test('names each operation once, with a verb first, and says who may use it', () => {
    for (const { operation } of operations) expect(operation.id).toMatch(/^[a-z]+([A-Z][a-z]+)*$/);
    const open = operations.filter(({ operation }) => operation.access === null);
    expect(open.map(({ path }) => path).sort()).toEqual(['/docs', '/health', '/openapi.json']);
  });

  test('knows every route that is served', async () => {
    const undeclared: string[] = [];
    const api = createApi({ maxConnections: 1, urlFault: () => null } as unknown as AppParts);
    api.app.addHook('onRoute', ({ method, url, config }) => {
      if (config?.operation === undefined && method !== 'HEAD') undeclared.push(`${method} ${url}`);
    });
    await api.app.ready();
    await api.app.close();
    const assets = /^GET \/(docs\/|livez$|readyz$)/;
    expect(undeclared.filter((route) => !assets.test(route))).toEqual([]);
  });

  test('documents every error that its catalogue has', () => {
    const { responses } = document.components as Described;
    const text = JSON.stringify(responses);
    const unused = (Object.keys(PROBLEMS) as ProblemCode[]).filter((code) => !text.includes(`\`${code}\``));
    // Answered before any operation is found, or while a request is still coming.
    expect(unused.sort()).toEqual([
      'headers_too_large',
      'method_not_allowed',
      'request_timeout',
      'route_not_found',
    ]);
  });

  test('describes every field of every body, answer and parameter', () => {
    const { components, paths, webhooks } = document as unknown as Record<string, Described>;
    expect(undescribed([components, paths, webhooks])).toEqual([]);
  });

  test('has operational events in its webhooks, each with an example', () => {
    const { webhooks } = document as { webhooks: Record<string, unknown> };
    expect(Object.keys(webhooks)).toContain('posthorn.dead_letter.created');
    for (const [type, item] of Object.entries(webhooks))
      expect(JSON.stringify(item), type).toContain('"examples"');
  });
});
