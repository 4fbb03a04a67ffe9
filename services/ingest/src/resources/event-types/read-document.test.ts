import { describe, expect, it } from 'vitest';
import type { Fault } from '../../http/problem.ts';
import { planType } from './plan-import.ts';
import { readDocument } from './read-document.ts';

const webhook = (schema: unknown, more: object = {}) => ({
  post: { requestBody: { content: { 'application/json': { schema, ...more } } } },
});
const documentOf = (webhooks: object, schemas: object = {}) => ({
  openapi: '3.1.0',
  webhooks,
  components: { schemas },
});

function read(document: unknown) {
  const faults: Fault[] = [];
  const types = readDocument(document, faults);
  return { types, faults: faults.map(({ pointer, detail }) => `${pointer} ${detail}`) };
}

describe('the webhooks of an OpenAPI document', () => {
  it('become types with description, schema, examples and whether they are deprecated', () => {
    const { types, faults } = read(
      documentOf({
        'order.created': {
          post: {
            summary: 'Short',
            description: 'An order was placed.',
            deprecated: true,
            requestBody: {
              content: {
                'text/plain': {},
                'application/vnd.shop+json': {
                  schema: { type: 'object' },
                  example: { n: 1 },
                  examples: { big: { value: { n: 2 } }, elsewhere: { externalValue: 'https://a.example' } },
                },
              },
            },
          },
        },
        ping: { summary: 'Nothing', post: {} },
      }),
    );
    expect(faults).toEqual([]);
    expect(types).toEqual([
      {
        name: 'order.created',
        description: 'An order was placed.',
        deprecated: true,
        schema: { type: 'object' },
        examples: [{ n: 1 }, { n: 2 }],
        pointer:
          '/document/webhooks/order.created/post/requestBody/content/application~1vnd.shop+json/schema',
      },
      expect.objectContaining({ name: 'ping', description: 'Nothing', schema: null, examples: [] }),
    ]);
  });

  it('take along the components they refer to, and those refer to, and no others', () => {
    const { types, faults } = read(
      documentOf(
        { a: webhook({ properties: { tree: { $ref: '#/components/schemas/Tree' } } }) },
        {
          Tree: {
            items: { $ref: '#/components/schemas/Tree' },
            properties: { leaf: { $ref: '#/components/schemas/Leaf/properties/x' } },
          },
          Leaf: { properties: { x: { type: 'string' } } },
          Other: {},
        },
      ),
    );
    expect(faults).toEqual([]);
    expect(types[0]!.schema).toEqual({
      properties: { tree: { $ref: '#/$defs/Tree' } },
      $defs: {
        Tree: {
          items: { $ref: '#/$defs/Tree' },
          properties: { leaf: { $ref: '#/$defs/Leaf/properties/x' } },
        },
        Leaf: { properties: { x: { type: 'string' } } },
      },
    });
  });

  it('leave alone what only looks like a reference', () => {
    const schema = {
      properties: { $ref: { type: 'string' } },
      const: { $ref: '#/components/schemas/X' },
      examples: [{ $ref: '#/components/schemas/X' }],
    };
    expect(read(documentOf({ a: webhook(schema) })).types[0]!.schema).toEqual(schema);
  });

  it('may refer to path items and request bodies of the document', () => {
    const document = {
      openapi: '3.1.1',
      webhooks: { a: { $ref: '#/components/pathItems/A' } },
      components: {
        pathItems: { A: { post: { requestBody: { $ref: '#/components/requestBodies/B~1c' } } } },
        requestBodies: { 'B/c': { content: { 'application/json': { schema: { type: 'null' } } } } },
      },
    };
    expect(read(document).types).toMatchObject([{ name: 'a', schema: { type: 'null' } }]);
  });

  it.each([
    [null, '/document/openapi must be a version such as 3.1.0'],
    [{ openapi: '3.0.3', webhooks: {} }, '/document/openapi must be a version such as 3.1.0'],
    [{ swagger: '2.0' }, '/document/openapi must be a version such as 3.1.0'],
    [{ openapi: '3.1.0' }, '/document/webhooks is required: an object'],
    [
      documentOf({ 'Order Created': webhook({}) }),
      '/document/webhooks/Order Created must be named as an event type is',
    ],
    [documentOf({ a: 7 }), '/document/webhooks/a must be an object'],
    [documentOf({ a: {} }), '/document/webhooks/a must have an operation post'],
    [documentOf({ a: { $ref: '#/nowhere' } }), '/document/webhooks/a must be an object, or refer to one'],
    [
      documentOf({ a: { $ref: 'https://a.example/x' } }),
      '/document/webhooks/a must be an object, or refer to one',
    ],
    [{ ...documentOf({ a: { $ref: '#/x' } }), x: { $ref: '#/x' } }, '/document/webhooks/a must be an object'],
    [
      documentOf({ a: webhook({ $ref: '#/components/schemas/X' }) }),
      'application~1json/schema/$ref refers to nothing',
    ],
    [documentOf({ a: webhook({ $ref: '#/paths/x' }) }), 'application~1json/schema/$ref refers to nothing'],
    [documentOf({ a: webhook(7) }), 'application~1json/schema must be an object'],
  ])('%j is refused with the place', (document, fault) => {
    const { faults } = read(document);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(fault);
  });

  it('that would copy a huge document into every type are refused', () => {
    const huge = { type: 'object', description: 'x'.repeat(70_000) };
    expect(
      read(documentOf({ a: webhook({ $ref: '#/components/schemas/H' }) }, { H: huge })).faults[0],
    ).toContain('needs more than 65536 bytes of components');
  });

  it('do not reach prototypes', () => {
    const document = JSON.parse(
      '{"openapi":"3.1.0","webhooks":{"a":{"$ref":"#/__proto__/x"},"__proto__":{}}}',
    );
    expect(read(document).types).toEqual([]);
    const schema = JSON.parse('{"properties":{"__proto__":{"type":"string"}}}');
    const [type] = read(documentOf({ a: webhook(schema) })).types;
    expect(JSON.stringify(type!.schema)).toBe(JSON.stringify(schema));
  });
});

describe('an import, compared with the catalogue', () => {
  const described = { name: 'a', description: 'd', deprecated: false, schema: {}, examples: [], pointer: '' };
  const texts = { schema: '{}', examples: '[]' };
  const found = {
    name: 'a',
    description: 'd',
    state: 'active' as const,
    enforcement: 'reject' as const,
    currentVersion: 2,
    createdAt: new Date(0),
    updatedAt: new Date(0),
    ...texts,
  };

  it('creates what is not there, with the enforcement that was asked for', () => {
    expect(planType(described, texts, undefined, 'warn')).toMatchObject({
      action: 'create',
      step: { type: { enforcement: 'warn', state: 'active', schema: '{}' } },
    });
  });

  it('does nothing where all is the same, whatever enforcement it asks for', () => {
    expect(planType(described, texts, found, 'off')).toEqual({ name: 'a', action: 'none', step: null });
  });

  it('adds a version where schema or examples differ, and changes the rest in place', () => {
    expect(planType(described, { ...texts, schema: 'true' }, found, 'off')).toMatchObject({
      action: 'add_version',
      step: { version: { schema: 'true' }, changes: {} },
    });
    expect(
      planType({ ...described, deprecated: true, description: 'new' }, texts, found, 'off'),
    ).toMatchObject({
      action: 'change',
      step: { version: null, changes: { description: 'new', state: 'deprecated' } },
    });
  });

  it('takes an archived type that the document names out of the archive', () => {
    const plan = planType(described, texts, { ...found, state: 'archived' }, 'off');
    expect(plan.step).toMatchObject({ changes: { state: 'active' } });
  });
});
