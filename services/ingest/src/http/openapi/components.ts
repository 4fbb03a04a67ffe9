import type { TSchema } from 'typebox';
import { meaningOf } from './field-meanings.ts';

/**
 * JSON Schemas as OpenAPI 3.1 has them: a TypeBox schema is one already. A schema with a `title` becomes a component
 * of that name, referred to wherever it stands.
 */
export interface Components {
  /** The schema as it stands in the document. */
  refer(schema: TSchema): object;
  readonly schemas: Readonly<Record<string, object>>;
}

type Json = null | boolean | number | string | readonly Json[] | JsonObject;
type JsonObject = { readonly [key: string]: Json };

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
const MAPS = new Set(['patternProperties', '$defs']);

/** @throws Error when two different schemas have one title. */
export function createComponents(): Components {
  const schemas: Record<string, object> = {};
  const texts = new Map<string, string>();

  /** `within` is the title of the nearest schema that has one. */
  function refer(schema: Json, within?: string): Json {
    if (!isObject(schema)) return schema;
    const { title } = schema;
    if (typeof title !== 'string') return convert(schema, within);
    const plain = convert(schema, title);
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

  function convert(schema: JsonObject, within: string | undefined): JsonObject {
    const below = (value: Json): Json => refer(value, within);
    const property = (value: Json, name: string): Json => explain(below(value), meaningOf(within, name));
    const out: Record<string, Json> = {};
    for (const [key, value] of Object.entries(schema)) {
      if (ONE.has(key)) out[key] = below(value);
      else if (LISTS.has(key) && Array.isArray(value)) out[key] = value.map(below);
      else if (MAPS.has(key) && isObject(value)) out[key] = mapValues(value, below);
      else if (key === 'properties' && isObject(value)) out[key] = mapValues(value, property);
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

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const mapValues = (object: JsonObject, change: (value: Json, key: string) => Json): JsonObject =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));

/** A property with what its name means, where it does not say so itself. */
function explain(property: Json, meaning: string | undefined): Json {
  if (meaning === undefined || !isObject(property) || saysItself(property)) return property;
  return { ...property, description: meaning };
}

export function saysItself(property: JsonObject): boolean {
  const { anyOf } = property;
  if ('description' in property || '$ref' in property) return true;
  return Array.isArray(anyOf) && anyOf.some((branch) => isObject(branch) && saysItself(branch));
}
