import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePattern, compileSchema } from './compile-schema.ts';
import { inspectSchema } from './inspect-schema.ts';

const faultsOf = (schema: unknown, examples: readonly unknown[] = []): string[] =>
  inspectSchema(schema, examples).map(({ pointer, detail }) => `${pointer} ${detail}`);

describe('a schema is refused with the place', () => {
  it.each([
    [{ type: 'strin' }, '/schema/type must be one of'],
    [{ properties: { a: { minimum: 'x' } } }, '/schema/properties/a/minimum must be number'],
    [{ required: 'a' }, '/schema/required must be array'],
    [{ items: { anyOf: [{ type: 'object' }, 7] } }, '/schema/items/anyOf/1 must be object,boolean'],
    [
      { properties: { 'a/b': { pattern: '(?=x)' } } },
      '/schema/properties/a~1b/pattern is no regular expression of RE2',
    ],
    [{ pattern: '(a)\\1' }, '/schema/pattern is no regular expression of RE2'],
    [{ pattern: '(' }, '/schema/pattern'],
    [
      { patternProperties: { '(?<!x)': {} } },
      '/schema/patternProperties/(?<!x) is no regular expression of RE2',
    ],
    [{ pattern: '^(?:a{1,1000}){1,1000}$' }, '/schema/pattern is no regular expression of RE2'],
    [
      { properties: { a: { $ref: '#/$defs/none' } } },
      '/schema/properties/a/$ref refers to nothing in this schema',
    ],
    [{ $ref: 'https://a.example/schema.json' }, '/schema/$ref refers to nothing in this schema'],
    [{ $ref: 'file:///etc/passwd' }, '/schema/$ref refers to nothing in this schema'],
    [
      { $schema: 'http://json-schema.org/draft-04/schema#' },
      '/schema/$schema must be https://json-schema.org',
    ],
    [{ $schema: 7 }, '/schema/$schema must be https://json-schema.org'],
    [{ prefixItems: [{ not: { type: 'x' } }] }, '/schema/prefixItems/0/not/type'],
    [{ $ref: '#' }, '/schema refers to itself without going deeper'],
    [{ allOf: [{ $ref: '#' }, { $ref: '#' }] }, '/schema refers to itself without going deeper'],
    [
      JSON.parse('{"properties":{"__proto__":{"type":"string"}}}'),
      '/schema/properties/__proto__ cannot be checked',
    ],
  ])('%j', (schema, fault) => {
    const faults = faultsOf(schema);
    expect(faults[0]).toContain(fault);
  });

  it('and so is an example that does not fit it', () => {
    const schema = { type: 'object', required: ['id'], properties: { id: { type: 'string' } } };
    expect(faultsOf(schema, [{ id: 'x' }, {}, { id: 5 }])).toEqual([
      '/examples/1/id is required',
      '/examples/2/id must be string',
    ]);
  });
});

describe('a schema is taken', () => {
  it.each([
    {},
    { type: 'object', 'x-ours': 1, example: {}, discriminator: { propertyName: 'kind' }, nullable: true },
    {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $ref: '#/$defs/tree',
      $defs: { tree: { items: { $ref: '#' } } },
    },
    {
      $schema: 'http://json-schema.org/draft-07/schema#',
      items: [{ type: 'string' }],
      additionalItems: false,
    },
    {
      properties: {
        pattern: { type: 'string' },
        $ref: { type: 'string' },
      },
    },
    { format: 'date-time', pattern: '^\\d{4}\\u002d(?<month>\\d\\d)\\/$' },
    { $ref: '#a', $defs: { x: { $anchor: 'a', type: 'string' } } },
  ])('%j', (schema) => {
    expect(faultsOf(schema)).toEqual([]);
  });
});

describe('a payload is held to its schema', () => {
  const faults = (schema: unknown, payload: unknown) =>
    compileSchema(schema)(payload).map(({ pointer, detail }) => `${pointer} ${detail}`);

  it('and every fault is named by its place', () => {
    const schema = {
      type: 'object',
      required: ['a', 'b/c'],
      additionalProperties: false,
      properties: { a: { enum: ['x', 'y'] }, d: { const: 1 }, e: { items: { type: 'integer', minimum: 0 } } },
    };
    expect(faults(schema, { a: 'z', d: 2, e: [1, -1, 'x'], 'f~': 1 })).toEqual([
      '/b~1c is required',
      '/f~0 is not allowed',
      '/a must be one of "x", "y"',
      '/d must be 1',
      '/e/1 must be >= 0',
      '/e/2 must be integer',
    ]);
  });

  it('whatever its keys are called', () => {
    const schema = { additionalProperties: { type: 'string' }, required: ['__proto__'] };
    expect(faults(schema, JSON.parse('{"__proto__":1}'))).toEqual(['/__proto__ must be string']);
    expect(faults(schema, {})).toEqual(['/__proto__ is required']);
  });

  it('and no more than a hundred faults are named', () => {
    expect(
      faults(
        { items: false },
        Array.from({ length: 5_000 }, () => 1),
      ),
    ).toHaveLength(100);
  });
});

describe('a pattern', () => {
  it('finds what the engine of JavaScript finds', () => {
    const part = fc.constantFrom(
      'a',
      'b',
      '[ab]',
      '[^a]',
      '.',
      '\\d',
      '\\w',
      'a?',
      'b*',
      'a+',
      '(?:ab|b)',
      'a{1,2}',
      '$',
      '^',
    );
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', ' ', '\n') });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), text, (parts, subject) => {
        const pattern = parts.join('');
        expect(compilePattern(pattern).test(subject)).toBe(new RegExp(pattern, 'u').test(subject));
      }),
      { numRuns: 500 },
    );
  });

  it.each(['(a+)+$', '^(a|a)*$', '(.*)*x', '^(([a-z])+.)+[A-Z]([a-z])+$'])(
    '%s takes time linear in the text, which would take years otherwise',
    (pattern) => {
      const compiled = compilePattern(pattern);
      expect(compiled.test(`${'a'.repeat(20_000)}!`)).toBe(false);
    },
  );
});
