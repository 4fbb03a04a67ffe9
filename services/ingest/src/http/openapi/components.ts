import type { TSchema } from 'typebox';

/**
 * JSON Schemas as OpenAPI 3.1 has them: a TypeBox schema is one already. A schema with a `title` becomes a component
 * of that name, referred to wherever it stands.
 */
export interface Components {
  /** The schema as it stands in the document. */
  refer(schema: TSchema): object;
  readonly schemas: Readonly<Record<string, object>>;
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Where schemas stand below a schema: alone, in lists, by name. */
const ONE = new Set([
  'items',
  'additionalProperties',
  'not',
  'contains',
  'propertyNames',
  'if',
  'then',
  'else',
]);
const LISTS = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']);
const MAPS = new Set(['properties', 'patternProperties', '$defs']);

/** @throws Error when two different schemas have one title. */
export function createComponents(): Components {
  const schemas: Record<string, object> = {};
  const texts = new Map<string, string>();

  function refer(schema: Json): Json {
    if (!isObject(schema)) return schema;
    const plain = convert(schema);
    const { title } = schema;
    if (typeof title !== 'string') return plain;
    // Where it stands it may be described and exemplified in its own way; what it is stays the same.
    const { examples, description, ...shape } = plain;
    const text = JSON.stringify(shape);
    const known = texts.get(title);
    if (known !== undefined && known !== text) throw new Error(`two schemas have the title ${title}`);
    if (known === undefined) {
      texts.set(title, text);
      schemas[title] = plain;
    }
    return { $ref: `#/components/schemas/${title}` };
  }

  function convert(schema: { readonly [key: string]: Json }): { readonly [key: string]: Json } {
    const out: Record<string, Json> = {};
    for (const [key, value] of Object.entries(schema)) {
      if (ONE.has(key)) out[key] = refer(value);
      else if (LISTS.has(key) && Array.isArray(value)) out[key] = value.map(refer);
      else if (MAPS.has(key) && isObject(value)) out[key] = mapValues(value, refer);
      else out[key] = value;
    }
    return out;
  }

  return {
    // By way of JSON: what TypeBox keeps for itself is not enumerable, and functions have no place in a document.
    refer: (schema) => refer(JSON.parse(JSON.stringify(schema)) as Json) as object,
    schemas,
  };
}

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const mapValues = (
  object: { readonly [key: string]: Json },
  change: (value: Json) => Json,
): { readonly [key: string]: Json } =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
