import {
  compilePattern,
  compileSchema,
  DRAFTS,
  draftOf,
  openAjv,
  type PayloadFault,
  toFaults,
  type Validate,
} from './compile-schema.ts';
import { below, isObject, type Place, schemasIn } from './schema-walk.ts';

/** What is wrong with a schema, or with an example that does not fit it: pointers from `/schema` and `/examples`. */
export function inspectSchema(schema: unknown, examples: readonly unknown[]): readonly PayloadFault[] {
  const faults = schemaFaults(schema);
  if (faults.length > 0)
    return faults.map(({ pointer, detail }) => ({ pointer: `/schema${pointer}`, detail }));
  const compiled = compileOrSay(schema);
  if (typeof compiled !== 'function') return compiled;
  if (!endsOn(compiled)) return [{ pointer: '/schema', detail: ENDLESS }];
  return examples.flatMap((example, i) =>
    compiled(example).map(({ pointer, detail }) => ({ pointer: `/examples/${i}${pointer}`, detail })),
  );
}

function schemaFaults(schema: unknown): PayloadFault[] {
  const draft = draftOf(schema);
  if (!DRAFTS.includes(draft)) {
    return [{ pointer: '/$schema', detail: `must be ${DRAFTS.join(' or ')}, or left out for the first` }];
  }
  const ajv = inspectorOf(draft);
  if (!ajv.validateSchema(schema as object)) return withoutBranches(toFaults(ajv.errors ?? []));
  return [...schemasIn(schema)].flatMap((place) => [...patternFaults(place), ...nameFaults(place)]);
}

const inspectors = new Map<string, ReturnType<typeof openAjv>>();

/** One for each draft: compiling the schema of schemas takes longer than using it. */
function inspectorOf(draft: string): ReturnType<typeof openAjv> {
  const inspector = inspectors.get(draft) ?? openAjv(draft);
  inspectors.set(draft, inspector);
  return inspector;
}

/** That none of several forms fits says less than what each asks for. */
const withoutBranches = (faults: readonly PayloadFault[]): PayloadFault[] => {
  const plain = faults.filter(({ detail }) => !detail.startsWith('must match a schema'));
  return plain.length > 0 ? plain : [...faults];
};

function patternFaults({ schema, pointer }: Place): PayloadFault[] {
  const { pattern, patternProperties } = schema;
  const at = below(pointer, 'patternProperties');
  const patterns = [
    ...(typeof pattern === 'string' ? [{ pattern, pointer: below(pointer, 'pattern') }] : []),
    ...(isObject(patternProperties)
      ? Object.keys(patternProperties).map((key) => ({ pattern: key, pointer: below(at, key) }))
      : []),
  ];
  return patterns.flatMap((each) => {
    try {
      compilePattern(each.pattern);
      return [];
    } catch (error) {
      return [{ pointer: each.pointer, detail: `is no regular expression of RE2: ${messageOf(error)}` }];
    }
  });
}

/** The validator passes over it: what it asked for would hold for nothing. */
function nameFaults({ schema: { properties }, pointer }: Place): PayloadFault[] {
  if (!isObject(properties) || !Object.hasOwn(properties, '__proto__')) return [];
  return [{ pointer: below(below(pointer, 'properties'), '__proto__'), detail: 'cannot be checked' }];
}

const SMALLEST: readonly unknown[] = [{}, [], '', 0, null];
const ENDLESS = 'refers to itself without going deeper into the payload: it never comes to an end';

/** A schema that refers to itself in place overflows the stack on whatever it is held against. */
function endsOn(validate: Validate): boolean {
  try {
    for (const payload of SMALLEST) validate(payload);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function compileOrSay(schema: unknown): Validate | readonly PayloadFault[] {
  try {
    return compileSchema(schema);
  } catch (error) {
    const { missingRef } = error as { missingRef?: unknown };
    if (typeof missingRef !== 'string') return [{ pointer: '/schema', detail: messageOf(error) }];
    return placesOfRef(schema, missingRef).map((pointer) => ({
      pointer: `/schema${pointer}`,
      detail: 'refers to nothing in this schema: others are not fetched',
    }));
  }
}

/** Where a reference stands; the schema itself when it stands where nobody looks. */
function placesOfRef(schema: unknown, missing: string): string[] {
  const places: string[] = [];
  for (const { schema: each, pointer } of schemasIn(schema)) {
    for (const keyword of ['$ref', '$dynamicRef']) {
      const ref = each[keyword];
      if (typeof ref === 'string' && missing.endsWith(ref)) places.push(below(pointer, keyword));
    }
  }
  return places.length > 0 ? places : [''];
}

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, 200).toWellFormed();
