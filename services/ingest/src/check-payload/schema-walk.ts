/** A schema within a schema, and the pointer to it. */
export interface Place {
  readonly schema: Readonly<Record<string, unknown>>;
  readonly pointer: string;
}

/** Keywords whose value is a schema, or in older drafts an array of them. */
const ONE = new Set([
  'additionalItems',
  'additionalProperties',
  'contains',
  'contentSchema',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
]);
const LIST = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']);
const NAMED = new Set(['$defs', 'definitions', 'dependentSchemas', 'patternProperties', 'properties']);

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const below = (pointer: string, key: string | number): string =>
  `${pointer}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** Every schema in a schema, itself first. What stands under keywords that no draft knows is not looked into. */
export function* schemasIn(schema: unknown, pointer = ''): Generator<Place> {
  if (!isObject(schema)) return;
  yield { schema, pointer };
  for (const [keyword, value] of Object.entries(schema)) {
    const at = below(pointer, keyword);
    if (NAMED.has(keyword) && isObject(value)) {
      for (const [name, each] of Object.entries(value)) yield* schemasIn(each, below(at, name));
    } else if ((LIST.has(keyword) || ONE.has(keyword)) && Array.isArray(value)) {
      for (const [i, each] of value.entries()) yield* schemasIn(each, below(at, i));
    } else if (ONE.has(keyword)) {
      yield* schemasIn(value, at);
    }
  }
}

/** A copy in which every schema, the outermost last, went through `change`. What is no schema stays as it is. */
export function mapSchemas(
  schema: unknown,
  change: (schema: Record<string, unknown>, pointer: string) => Record<string, unknown>,
  pointer = '',
): unknown {
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).map(([keyword, value]): [string, unknown] => {
    const at = below(pointer, keyword);
    if (NAMED.has(keyword) && isObject(value)) {
      const named = Object.entries(value).map(([name, each]) => [
        name,
        mapSchemas(each, change, below(at, name)),
      ]);
      return [keyword, Object.fromEntries(named)];
    }
    if ((LIST.has(keyword) || ONE.has(keyword)) && Array.isArray(value)) {
      return [keyword, value.map((each, i) => mapSchemas(each, change, below(at, i)))];
    }
    return [keyword, ONE.has(keyword) ? mapSchemas(value, change, at) : value];
  });
  // Own members, also of a hostile name: an assignment to `__proto__` would be none.
  return change(Object.fromEntries(entries), pointer);
}
